#!/usr/bin/perl

# The rig itself: what the other tests stand on does what it says.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use ACME::Rig;
use ACME::Rig::Httpd;
use ACME::Rig::Pebble;
use ACME::Rig::Relay;

ACME::Rig::skip_unless_able(qw(openssl pebble pebble-challtestsrv));
my $rig = ACME::Rig->new;

# Ports are different, free, and below the kernel's own.
{
    my %seen;
    my @ports = $rig->ports(40);
    ok !(grep { $seen{$_}++ } @ports), 'forty ports, all different';
    ok !(grep { $_ < 12_000 || $_ > 32_000 } @ports), 'in the range';
    my $other = ACME::Rig->new;
    ok !(grep { $seen{$_} } $other->ports(40)), 'another rig gets others';
}

# A program's exit status, outputs, environment and time limit are seen.
{
    my $r = $rig->run(['sh', '-c', 'echo "$A"; echo b >&2; exit 3'],
                      env => { A => 'a' });
    is_deeply [@$r{qw(status out err timeout)}], [3, "a\n", "b\n", 0],
        'run returns status and both outputs';
    $r = $rig->run(['sleep', '30'], timeout => 0.2);
    ok $r->{timeout} && $r->{seconds} < 5, 'the time limit ends it';
    is $rig->run(['/nonexistent'])->{status}, 127, 'no such program';
    is $rig->run(['id', '-un'], user => 'www-data')->{out}, "www-data\n",
        'run as somebody else';
}

# A private httpd starts, serves, restarts gracefully and stops, with each
# MPM; none of it touches the system's own httpd.
for my $mpm (qw(event worker prefork)) {
    my $httpd = ACME::Rig::Httpd->new($rig, name => $mpm, mpm => $mpm,
                                      without_acme => 1);
    my $tls = $rig->make_tls("$mpm-tls", names => ['a.test']);
    my $https = $httpd->https;
    $httpd->write_page('index.html', "hello from $mpm\n");
    $httpd->write_config(<<"END");
<Directory "/">
    Require all granted
</Directory>
<VirtualHost *:$https>
    ServerName a.test
    SSLEngine on
    SSLCertificateFile "$tls->{cert}"
    SSLCertificateKeyFile "$tls->{key}"
</VirtualHost>
END
    is $httpd->configtest->{status}, 0, "$mpm: the configuration is right";
    $httpd->start;
    my $pid = $httpd->pid;
    is $httpd->get('localhost', '/index.html')->{body}, "hello from $mpm\n",
        "$mpm: http";
    my $got = $httpd->get_tls('a.test', '/index.html', ca => $tls->{ca});
    is $got->{status}, 200, "$mpm: https, verified";
    is_deeply $got->{cert}{names}, ['a.test'], "$mpm: the certificate";
    ok !$httpd->get_tls('b.test', '/', ca => $tls->{ca})->{status},
        "$mpm: a wrong name is noticed";
    $httpd->graceful;
    is $httpd->pid, $pid, "$mpm: same parent after the graceful restart";
    is $httpd->faults, '', "$mpm: no crash";
    $httpd->stop;
    ok !$httpd->is_running && !ACME::Rig::exists_pid($pid), "$mpm: stopped";
}

# A configuration that httpd refuses is a status and a sentence, and a
# start that fails dies with the reason.
{
    my $httpd = ACME::Rig::Httpd->new($rig, name => 'bad', without_acme => 1);
    $httpd->write_config("NoSuchDirective on\n");
    my $test = $httpd->configtest;
    is $test->{status}, 1, 'configtest fails';
    like $test->{err}, qr/NoSuchDirective/, 'and says why';
    ok !eval { $httpd->start; 1 }, 'start dies';
    like $@, qr/NoSuchDirective/, 'and says why';
}

# Pebble answers, by name and with a certificate of the rig's CA.
my $ca = ACME::Rig::Pebble->new($rig)->start;
{
    my $directory = $ca->query_directory;
    like $directory->{newOrder}, qr{^https://localhost:}, 'a directory';
    ok !ACME::Rig::fetch($ca->port, 'other.test', tls => 1,
                         ca => $ca->ca_file, path => '/dir')->{status},
        'its certificate is for localhost only';
    like $ca->root_pem, qr/BEGIN CERTIFICATE/, 'its root';
    is scalar($ca->requests), 1, 'its requests are counted';
    like $ca->has('ari'), qr/^[01]$/, 'features are asked';
    my $old = $ca->root_pem;
    $ca->restart(nonce_reject => 50);
    isnt $ca->root_pem, $old, 'a restarted CA is a new CA';
}

# The relay delays each way, charges a round trip for a new connection,
# keeps bytes whole, and can be bad in three ways.
{
    my $relay = ACME::Rig::Relay->new($rig, to => $ca->port, delay => 0.025);
    my $ask = sub {
        my $start = time;
        my $answer = ACME::Rig::fetch($relay->port, 'localhost', tls => 1,
            ca => $ca->ca_file, path => '/dir', timeout => 1);
        return ($answer, time - $start);
    };
    # TCP, TLS 1.3 and the request: three round trips of 50 ms.
    my ($answer, $time) = $ask->();
    is $answer->{status}, 200, 'through the relay';
    cmp_ok $time, '>=', 0.149, 'three round trips';
    cmp_ok $time, '<', 0.4, '... and little more';
    is $relay->stats->{connections}, 1, 'counted';
    $relay->set(mode => 'cut', after => 100);
    ($answer) = $ask->();
    is $answer->{status}, 0, 'cut off';
    $relay->set(mode => 'refuse');
    ($answer) = $ask->();
    is $answer->{status}, 0, 'refused';
    $relay->set(mode => 'pass', delay => 0);
    ($answer, $time) = $ask->();
    is $answer->{status}, 200, 'passes again';
    $relay->set(mode => 'stall');
    my $stalled = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                        PeerPort => $relay->port);
    print {$stalled} 'x' x 100;
    ok !IO::Select->new($stalled)->can_read(0.3), 'stalled';
}

# A Pebble that waits for itself is told from one that does not.
{
    my $dump = "SIGQUIT: quit\n\ngoroutine 1 [IO wait]:\nmain.main()\n\n";
    my $order = "goroutine 33 gp=0x1 m=nil [sync.RWMutex.RLock]:\nsync.runtime_x()\n\n";
    my $authz = "goroutine 9 [sync.RWMutex.Lock, 2 minutes]:\nva.go:1\n\n";

    is ACME::Rig::Pebble::is_lock_up("$dump$order$authz"), 1, 'two locks';
    is ACME::Rig::Pebble::is_lock_up("$dump$order"), 0, 'one lock is in use';
    is ACME::Rig::Pebble::is_lock_up(''), 0, 'no word is no proof';
    is $ca->has_locked_up, 0, 'a Pebble that is well has not';
    ok !$ca->is_running, '... but was ended to see that';
    like $rig->read_file($ca->log_file), qr/^goroutine \d+[^\[\n]*\[/m,
        '... and told what it did';
}

# A program in a place that others cannot reach is copied to one that they
# can; one in the open stays where it is.
{
    my $open = $rig->write_file('open/tool', "#!/bin/sh\necho hi\n", 0755);
    is ACME::Rig::for_everybody($open), $open, 'a program in the open';
    my $shut = $rig->write_file('shut/tool', "#!/bin/sh\necho hi\n", 0755);
    chmod 0700, $rig->path('shut');
    my $copy = ACME::Rig::for_everybody($shut);
    isnt $copy, $shut, 'a program in a closed place';
    is $rig->run([$copy], user => 'nobody')->{out}, "hi\n",
        'is run by nobody';
    is ACME::Rig::for_everybody($shut), $copy, 'one copy is enough';
}

# A test that dies leaves no process and no file behind.
{
    my $script = $rig->write_file('dies.pl', <<"END");
use lib '$FindBin::Bin/lib';
use ACME::Rig; use ACME::Rig::Httpd;
my \$rig = ACME::Rig->new;
my \$httpd = ACME::Rig::Httpd->new(\$rig, without_acme => 1);
\$httpd->write_config('');
\$httpd->start;
my \$pid = \$rig->spawn(['sleep', '60']);
print join(' ', \$rig->dir, \$pid, \$httpd->pid), "\\n";
die "on purpose\\n";
END
    my $r = $rig->run([$^X, $script]);
    my ($dir, @pids) = split ' ', $r->{out};
    is $r->{status}, 255, 'the status of the dying test stays';
    is scalar(@pids), 2, 'two processes were started';
    ok !(grep { ACME::Rig::exists_pid($_) } @pids), 'both are gone';
    ok !-e $dir, 'so is the directory';
}

# A child that crashes fails the test, even one that does not look.
{
    my $script = $rig->write_file('crash.pl', <<"END");
use lib '$FindBin::Bin/lib';
use ACME::Rig; use ACME::Rig::Httpd;
my \$rig = ACME::Rig->new;
my \$httpd = ACME::Rig::Httpd->new(\$rig, without_acme => 1);
\$httpd->write_config('');
\$httpd->start;
kill 'SEGV', (\$httpd->children)[0];
ACME::Rig::wait_for(20, 'the parent to notice', sub { \$httpd->faults });
END
    my $r = $rig->run([$^X, $script]);
    is $r->{status}, 1, 'a crash fails the test';
    like $r->{err}, qr/exit signal Seg/, 'and is shown';
}

done_testing;
