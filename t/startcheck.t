#!/usr/bin/perl

# `httpd -t -D ACME_START_CHECK`: a configuration that httpd accepts but
# would not start with is refused, and nothing is touched by the question,
# whether the server runs or not.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA ();
use File::Find ();
use JSON::PP ();
use Test::More;

use ACME::Rig;
use ACME::Rig::Httpd;

ACME::Rig::skip_unless_able(qw(openssl setsid));

my $rig = ACME::Rig->new;
my $tls = $rig->make_tls('tls', names => ['a.test']);
my $other = $rig->make_tls('other', names => ['a.test']);
my $secret = $rig->path('secret.key');
$rig->openssl('pkey', '-in', $tls->{key}, '-aes128', '-passout',
              'pass:secret', '-out', $secret);
my $broken = $rig->write_file('broken.key', "-----BEGIN PRIVATE KEY-----\n"
                              . "MIIB\n-----END PRIVATE KEY-----\n");
# What would be the manager tells that it was called.
my $called = $rig->path('called');
my $manager = $rig->write_file('manager', "#!/bin/sh\n>\"$called\"\n"
                               . "exec sleep 600\n", 0755);

# Everything below httpd's directory, which has that of temporary files, too:
# names, owners, modes, and of files also sizes, times and contents.
sub traces
{
    my ($httpd) = @_;
    my @found;

    File::Find::find({ no_chdir => 1, wanted => sub {
        my @stat = lstat;
        push @found, join ' ', $File::Find::name, @stat[1, 2, 4, 5],
            -f _ ? (@stat[7, 9, 10], Digest::SHA::sha256_hex(
                        ACME::Rig->read_file($_) // '')) : ();
    } }, $httpd->root);
    return [sort @found];
}

# Processes that know this httpd's configuration.
sub processes
{
    my ($httpd) = @_;

    return [sort grep { index(ACME::Rig->read_file("/proc/$_/cmdline") // '',
                              $httpd->config) >= 0 }
            map { m{/proc/(\d+)} } glob '/proc/[0-9]*'];
}

# Where a process may have System V semaphores of its own, those that it left
# are told apart from those of other programs.
my @alone = system('unshare --ipc true 2>/dev/null') ? ()
    : ('unshare', '--ipc', 'sh', '-c', '"$@"; status=$?; '
       . 'sed "1d; s/^/LEFT /" /proc/sysvipc/sem; exit $status', 'sh');

# httpd -t -D ACME_START_CHECK without a terminal, nothing on stdin.
sub check
{
    my ($httpd, @args) = @_;

    return $rig->run(['setsid', '-w', @alone,
        @{$httpd->command('-t', '-D', 'ACME_START_CHECK', @args)}],
        env => $httpd->env, timeout => 30);
}

# A private httpd with a directory for temporary files.
sub httpd
{
    my ($name, %opt) = @_;
    my $temp = $rig->make_dir("$name/tmp", 0755);

    return ACME::Rig::Httpd->new($rig, name => $name, %opt,
        env => { ACMECTL => $manager, TMPDIR => $temp });
}

# The check says so, and leaves the world as it was.
sub checked
{
    my ($httpd, $what, $status, $like) = @_;
    my ($before, $procs) = (traces($httpd), processes($httpd));
    my $r = check($httpd);

    is $r->{status}, $status, $what or diag $r->{err};
    like $r->{err}, $like, "$what: what it says";
    is_deeply traces($httpd), $before, "$what: no trace";
    unlike $r->{out}, qr/^LEFT/m, "$what: no semaphore";
    is_deeply processes($httpd), $procs, "$what: no process";
    return $r;
}

sub host
{
    my ($httpd, $text) = @_;

    return '<VirtualHost *:' . $httpd->https . ">\nServerName a.test\n"
        . "SSLEngine on\n$text</VirtualHost>\n";
}

my $pair = "SSLCertificateFile $tls->{cert}\nSSLCertificateKeyFile "
    . "$tls->{key}\n";

# What is refused: [what, the host's lines, the complaint].
my @bad = (
    ['no certificate', '', qr/AH02572: Failed to configure at least one/],
    ['a key of another certificate', "SSLCertificateFile $tls->{cert}\n"
        . "SSLCertificateKeyFile $other->{key}\n",
        qr/AH02565: .*do not match/],
    ['an encrypted key', "SSLCertificateFile $tls->{cert}\n"
        . "SSLCertificateKeyFile $secret\n",
        qr/AH02578: .*AH02564: .*\Q$secret\E/s],
    ['a key that is none', "SSLCertificateFile $tls->{cert}\n"
        . "SSLCertificateKeyFile $broken\n", qr/AH02564: .*\Q$broken\E/],
    ['ciphers that nobody knows', "${pair}SSLCipherSuite NONSENSE\n",
        qr/AH01898: Unable to configure permitted SSL ciphers/],
    ['stapling without a cache', "${pair}SSLUseStapling on\n",
        qr/AH01958: SSLStapling: no stapling cache/],
    ['a CA file that is none', "${pair}SSLCACertificateFile $broken\n"
        . "SSLVerifyClient require\n", qr/AH01895: Unable to configure/],
    ['a protocol that does not exist here', "${pair}SSLProtocol -all\n",
        qr/AH02231: No SSL protocols available/],
);

for my $mpm (qw(event prefork)) {
    my $httpd = httpd($mpm, mpm => $mpm, manager => 1,
        more => [qw(socache_dbm authn_core authn_socache)]);
    my $caches = "SSLSessionCache dbm:run/sessions\n"
        . "AuthnCacheEnable\nAuthnCacheSOCache dbm:run/authn\n";
    # mod_ssl comes to the last host first: what it and we make for these is
    # there when another one is refused.
    my $managed = "ACMEDomain b.test\n<VirtualHost *:" . $httpd->https
        . ">\nServerName b.test\nSSLEngine on\n</VirtualHost>\n";
    my $stapled = "SSLStaplingCache shmcb:run/staples(65536)\n"
        . host($httpd, "${pair}SSLUseStapling on\n");
    my $good = $caches . host($httpd, $pair) . $managed;

    # A good configuration of a stopped server.
    $httpd->write_config($good);
    checked($httpd, "$mpm, stopped: a good configuration", 0,
            qr/^Syntax OK$/m);

    # With -D DUMP_ACME the document comes first and whole.
    {
        my $r = check($httpd, '-D', 'DUMP_ACME');
        my $json = eval { JSON::PP->new->utf8->decode($r->{out}) };
        is $json && $json->{virtual_hosts}[0]{server_name}, 'a.test',
            "$mpm: the document";
    }

    # The same while it runs: sessions are resumed, the live segment, its
    # manager and its caches stay.
    $httpd->start('-D', 'ACME_START_CHECK');
    ok ACME::Rig::wait_for(20, 'the manager', sub { -e $called }),
        "$mpm: the define means nothing to a start";
    unlink $called;
    my $session = $rig->path("$mpm.session");
    my @client = ('s_client', '-connect', '127.0.0.1:' . $httpd->https,
                  '-servername', 'a.test', '-tls1_2', '-no_ticket');
    $rig->run(['openssl', @client, '-sess_out', $session]);
    my ($live) = (stat $httpd->root . '/run/acme-live')[1];
    my @children = sort $httpd->children;
    my $cache = [glob $httpd->root . '/run/sessions*'];
    ok @$cache, "$mpm: a cache in a file";
    checked($httpd, "$mpm, running: a good configuration", 0,
            qr/^Syntax OK$/m);
    is((stat $httpd->root . '/run/acme-live')[1], $live,
       "$mpm: the same live segment");
    ok !-e $called, "$mpm: no other manager";
    is_deeply [sort $httpd->children], \@children, "$mpm: the same children";
    like $rig->run(['openssl', @client, '-sess_in', $session])->{out},
        qr/^Reused, TLSv1\.2/m, "$mpm: a session from before is resumed";

    for my $bad (@bad) {
        my ($what, $text, $like) = @$bad;
        $httpd->write_config($caches . host($httpd, $text) . $managed);
        is $httpd->configtest->{status}, 0, "$mpm: $what passes httpd -t";
        my $r = checked($httpd, "$mpm, running: $what", 1, $like);
        like $r->{err}, qr/ACME0022: .*would not start/, "$mpm: $what: so";
        unlike $r->{err}, qr/Syntax OK/, "$mpm: $what: and not OK";
    }

    $httpd->stop;
    ACME::Rig::wait_for(20, 'the end', sub { !@{processes($httpd)} });
    $httpd->write_config(host($httpd, ''));
    checked($httpd, "$mpm, stopped: no certificate", 1, qr/AH02572: /);

    # Mutexes of System V outlive a process that does not remove them.
    for my $case ([0, $stapled], [1, host($httpd, '') . $stapled]) {
        $httpd->write_config("Mutex sysvsem default\n$case->[1]");
        checked($httpd, "$mpm: semaphores, status $case->[0]", $case->[0],
                qr/./);
    }
}

# What a listener makes a TLS host is one for the check.
{
    my $httpd = httpd('listener');
    my $port = $rig->port;
    my $text = "Listen 127.0.0.1:$port https\n<VirtualHost 127.0.0.1:$port>\n"
        . "ServerName a.test\nSSLCertificateFile $tls->{cert}\n";
    $httpd->write_config("${text}SSLCertificateKeyFile $other->{key}\n"
                         . "</VirtualHost>\n");
    checked($httpd, 'TLS by the listener', 1, qr/AH02565: /);
    $httpd->write_config("${text}SSLCertificateKeyFile $tls->{key}\n"
                         . "</VirtualHost>\n");
    checked($httpd, 'and right', 0, qr/^Syntax OK$/m);
}

# An ordinary user cannot read the keys: he is told, and nothing is left.
{
    my $httpd = httpd('user');
    $httpd->write_config(host($httpd, $pair));
    chmod 0600, $tls->{key};
    my $before = traces($httpd);
    my $r = $rig->run($httpd->command('-t', '-D', 'ACME_START_CHECK'),
                      env => $httpd->env, user => 'nobody', timeout => 30);
    is $r->{status}, 1, 'an ordinary user';
    is_deeply traces($httpd), $before, 'leaves no trace either';
}

done_testing;
