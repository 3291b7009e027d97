#!/usr/bin/perl

# What can go wrong while an old site is secured: everything is as it was
# afterwards, one sentence says why, and httpd serves as before.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use POSIX ();
use Test::More;

use ACME::OldSite;
use ACME::Rig;
use ACME::Rig::EvilCA;
use ACME::Rig::Mounted;

my $hosts = <<'END';
<VirtualHost *:%HTTP%>
    ServerName a.test
    ServerAlias www.a.test bad.test
</VirtualHost>
<VirtualHost *:%HTTP%>
    ServerName b.test
</VirtualHost>
END

my $scene = ACME::OldSite->new(settings => 1, hosts => $hosts)->start;
my ($rig, $httpd, $ca) = ($scene->rig, $scene->httpd, $scene->ca);

sub detail { return $_[0]{json}{error} ? $_[0]{json}{error}{detail} : '' }

# The run fails so; files, httpd and journal are as before. Options: those
# of ends.
sub leaves_all
{
    my ($what, $args, $status, $pattern, %opt) = @_;
    my $before = $scene->tree;
    my $served = $scene->served_now;
    my $page = $httpd->get('a.test', '/');
    my $restarts = delete $opt{restarts} // 0;
    my $r;

    subtest $what => sub {
        $r = $scene->ends($args, $status, "exit status $status", %opt);
        like detail($r), $pattern, 'the sentence';
        is_deeply $scene->tree, $before, 'all files are as before';
        ok !-e $scene->store . '/journal/active', 'nothing is under way';
        ok !-e $scene->store . '/reload', 'nobody has to be told';
        is $r->{json}{checkpoint}, undef, 'there is no checkpoint';
        my $now = $scene->served_now;
        if (%$served) {
            is $now->{restarts} - $served->{restarts}, $restarts,
                "$restarts restarts";
        }
        delete $_->{restarts} for $now, $served;
        is_deeply $now, $served, 'httpd serves as before';
        is $httpd->get('a.test', '/')->{status}, $page->{status},
            'the site answers as before';
    };
    return $r;
}

# The configuration is broken already: httpd's own complaint.
{
    my $text = $scene->text;
    $scene->write($text . "NoSuchDirective on\n");
    leaves_all('a broken configuration', ['secure', 'a.test'], 4,
               qr/NoSuchDirective/);
    $scene->write($text);
}

# It passes httpd -t, and httpd would not start with it: that is found
# before anything is changed.
{
    my $text = $scene->text;
    my ($one, $two) = map { $rig->make_tls($rig->path("other-$_")) } 1, 2;
    $scene->write($text . <<"END");
<VirtualHost *:%HTTPS%>
    ServerName tls.test
    SSLEngine on
    SSLCertificateFile "$one->{cert}"
    SSLCertificateKeyFile "$two->{key}"
</VirtualHost>
END
    is $httpd->configtest->{status}, 0, 'httpd -t says Syntax OK';
    leaves_all('a key that does not fit', ['secure', 'a.test'], 4,
               qr/do not pass the test/);
    $scene->write($text);
}

# Files that cannot be changed.
SKIP: {
    skip 'no namespace to mount in', 2 if !ACME::Rig::may_mount();
    my $dir = $httpd->root . '/small';
    my $disk = ACME::Rig::Mounted->new($dir, 'size=256k,mode=755')
        or skip 'cannot mount', 2;
    my $text = $scene->text;

    $rig->write_file("$dir/site.conf", $text, 0644);
    $scene->write("Include $dir/site.conf\n");
    $httpd->graceful;
    $disk->fill;
    leaves_all('a full disk', ['secure', 'a.test'], 1,
               qr{/small: No space left.*make room});
    is $rig->read_file("$dir/site.conf"), $text, 'it is as it was';
    $disk->free;
    system('mount', '-o', 'remount,ro', $dir) == 0
        or skip 'cannot remount', 1;
    leaves_all('a file system that is read-only', ['secure', 'a.test'], 1,
               qr{/small: Read-only file system});
    $scene->write($text);
    $httpd->graceful;
}
SKIP: {
    skip 'no immutable files here', 1
        if system('chattr +i ' . $scene->site . ' 2>/dev/null');
    leaves_all('an immutable file', ['secure', 'a.test'], 1, qr/immutable/);
    system('chattr', '-i', $scene->site);
}

# Which host is meant must be clear.
{
    my $text = $scene->text;
    my ($other, $more) = $rig->ports(2);

    leaves_all('a name without a host', ['secure', 'nobody.test'], 1,
               qr/nobody\.test/);
    $scene->write("<VirtualHost *:%HTTP%>\n</VirtualHost>\n$text");
    leaves_all('a default host without names', ['secure', 'nobody.test'], 1,
               qr/nobody\.test/);
    $scene->write($text . <<"END");
Listen 127.0.0.1:$other
Listen 127.0.0.1:$more
<VirtualHost *:$other>
    ServerName two.test
</VirtualHost>
<VirtualHost *:$more>
    ServerName two.test
</VirtualHost>
END
    my $r = leaves_all('a name of two hosts', ['secure', 'two.test'], 2,
                       qr/two\.test/);
    is scalar(@{$r->{json}{candidates}}), 2, 'both are listed';
    ok !(grep { !/:\d+\z/ } map { $_->{place} } @{$r->{json}{candidates}}),
        'with file and line';
    my $place = $r->{json}{candidates}[1]{place};
    $r = $scene->ends(['secure', '--plan', '--vhost', "two.test=$place",
                       'two.test'], 0, 'the answer is taken');
    $scene->write($text);
}

# Panels write their files anew: there is a text to paste instead.
{
    my $text = $scene->text;
    $scene->write("# This file is generated by a panel. DO NOT EDIT\n$text");
    my $r = leaves_all('a generated file', ['secure', 'a.test'], 1,
                       qr/site\.conf/);
    like $r->{json}{paste} // '', qr/<VirtualHost.*ACMEDomain a\.test/s,
        'the text to paste';
    $scene->write($text);
}

# Another program has the TLS port.
{
    my $config = $rig->read_file($httpd->config);
    my $https = $httpd->https;

    $httpd->stop;
    $rig->write_file($httpd->config,
                     $config =~ s/^Listen 127.0.0.1:$https\n//mr);
    my $thief = IO::Socket::INET->new(LocalAddr => '0.0.0.0', Listen => 64,
        LocalPort => $https, ReuseAddr => 1) or die "port $https: $!\n";
    $scene->start;
    leaves_all('a port that is taken', ['secure', 'a.test'], 1,
               qr/port.*$https|$https.*port/);
    close $thief;
    $httpd->stop;
    $rig->write_file($httpd->config, $config);
    $scene->start;
}

# The CA refuses a name: nothing is changed, or it is left out.
{
    $ca->resolver('set-servfail', { host => 'bad.test' });
    my $r = leaves_all('a name that the CA refuses',
        ['secure', 'a.test', 'www.a.test', 'bad.test'], 1, qr/bad\.test/);
    is $r->{json}{error}{identifier}, 'bad.test', 'it is named';
    # Pebble can lock itself up after a refusal.
    $ca->restart;
    $r = leaves_all('nothing but such a name',
        ['secure', '--allow-partial', 'bad.test'], 1, qr/bad\.test/);
    $ca->restart;
    $r = $scene->ends(['secure', '--allow-partial', 'a.test', 'www.a.test',
                       'bad.test'], 3, 'some names failed');
    is $r->{json}{checkpoint}, 1, 'there is a checkpoint';
    like join("\n", @{$r->{json}{notes}}), qr/bad\.test is left out/,
        'a note of it';
    like $scene->text, qr/ACMEDomain a\.test www\.a\.test$/m,
        'the others are served';
    $scene->serves_ok('a.test');
    $ca->resolver('clear-servfail', { host => 'bad.test' });
    $ca->restart;
    $scene->ends(['rollback'], 0, 'rollback');
}

# What is served afterwards is not what it should be: all is undone, and
# httpd told.
{
    my $text = $scene->text;
    $scene->write($text =~ s{(ServerName b\.test\n)}{$1    <If
        "%{HTTPS} == 'on'">\n        Redirect gone /\n    </If>\n}r
        =~ s/<If\n\s+/<If /r);
    $httpd->graceful;
    my $r = leaves_all('a site that breaks behind TLS', ['secure', 'b.test'],
                       6, qr/b\.test does not pass the check "http".*as they/,
                       restarts => 2);
    ok !$r->{json}{checkpoint}, 'no checkpoint';
    ok scalar @{$r->{json}{checks}}, 'the checks are told';
    $scene->write($text);
    $httpd->graceful;
}

# A redirect that is there already is left alone, and the twin has none.
{
    my $text = $scene->text;
    $scene->write($text =~ s{(ServerName b\.test\n)}
        {$1    Redirect permanent / https://b.test/\n}r);
    $httpd->graceful;
    my $r = $scene->ends(['secure', '--redirect', 'b.test'], 0,
                         'a redirect that is there');
    unlike $scene->text, qr/ACMERequireHTTPS/, 'no other is made';
    is(() = $scene->text =~ /Redirect permanent/g, 1, 'nor is it copied');
    is $httpd->get_tls('b.test', '/')->{status}, 200, 'https answers';
    $scene->ends(['rollback'], 0, 'rollback');
    $scene->write($text);
    $httpd->graceful;
}

# A site that was broken before may be so behind a redirect to https.
{
    my $text = $scene->text;
    $scene->write($text =~ s{(ServerName b\.test\n)}
        {$1    Redirect 503 /\n}r);
    $httpd->graceful;
    is $httpd->get('b.test', '/')->{status}, 503, 'b.test is broken';
    my $r = $scene->ends(['secure', '--redirect', 'b.test'], 0,
                         'a site that is broken');
    ok $r->{json}{checkpoint}, 'it is secured all the same';
    my ($check) = grep { $_->{check} eq 'http' } @{$r->{json}{checks}};
    like $check->{detail}, qr/status 503; it was so before/, 'that is told';
    $scene->ends(['rollback'], 0, 'rollback');
    $scene->write($text);
    $httpd->graceful;
}

# ------------------------------------------------- while the CA is busy

# A CA that does something in the middle of an order.
{
    package SlowCA;
    our @ISA = ('ACME::Rig::EvilCA');

    sub answer
    {
        my ($self, $request) = @_;
        my $flag = "$self->{dir}/flag";

        if (!-e $flag && $request->{path} eq '/new-order') {
            $self->{rig}->write_file($flag, 'ordering');
            for (1 .. 200) {
                last if -e "$flag.go";
                select undef, undef, undef, 0.05;
            }
        }
        return $self->SUPER::answer($request);
    }

    sub arm { unlink "$_[0]{dir}/flag", "$_[0]{dir}/flag.go"; return }
    sub is_ordering { return -e "$_[0]{dir}/flag" }
    sub go { $_[0]{rig}->write_file("$_[0]{dir}/flag.go", ''); return }
}
my $slow = SlowCA->new($rig, http => $httpd->http)->start;
$scene->{ca} = $slow;
$httpd->write_config($scene->settings . $scene->{text}
    =~ s/^ACME(?!RequireHTTPS).*\n//mgr);
$httpd->graceful;

# Start secure and do something while it orders; its result.
sub meanwhile
{
    my ($code) = @_;
    my ($out, $err) = map { $rig->path("meanwhile-$_") } 'out', 'err';

    # Without it there is something to order.
    system('rm', '-rf', $scene->store . '/domains/b.test');
    $slow->arm;
    my $pid = fork // die "cannot fork: $!\n";
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', $out or POSIX::_exit(126);
        open STDERR, '>', $err or POSIX::_exit(126);
        no warnings 'exec';
        exec ACME::Rig::acmectl_path(), '--httpd', $httpd->binary, '-d',
            $httpd->root, '-f', $httpd->config, '--json', 'secure', 'b.test';
        POSIX::_exit(127);
    }
    ACME::Rig::wait_for(20, 'the order', sub { $slow->is_ordering });
    $code->($pid);
    $slow->go;
    waitpid $pid, 0;
    my $status = $? & 127 ? 128 + ($? & 127) : $? >> 8;
    return { status => $status, err => $rig->read_file($err),
        json => JSON::PP->new->utf8->decode($rig->read_file($out)) };
}

# A name that the CA does not issue for: exit 7.
{
    my $ca = ACME::Rig::EvilCA->new($rig, name => 'strict-ca',
        http => $httpd->http, answers => { newOrder => sub {
            return ACME::Rig::EvilCA::problem(400, 'rejectedIdentifier', 'no',
                subproblems => [{ detail => 'forbidden',
                    type => 'urn:ietf:params:acme:error:rejectedIdentifier',
                    identifier => { type => 'dns', value => 'bad.test' } }])
        } })->start;
    local $scene->{ca} = $ca;
    my $config = $rig->read_file($httpd->config);
    $rig->write_file($httpd->config, $config
        =~ s/^(ACMECertificateAuthority) .*/"$1 " . $ca->directory/emr
        =~ s/^(ACMECACertificateFile) .*/"$1 " . $ca->ca_file/emr);
    $httpd->graceful;
    my $r = leaves_all('a name that may not be issued for',
        ['secure', 'a.test', 'bad.test'], 7, qr/does not issue for this/);
    is $r->{json}{error}{identifier}, 'bad.test', 'it is named';
    $rig->write_file($httpd->config, $config);
    $httpd->graceful;
}

# An editor was faster: its file is not overwritten.
{
    my $text = $scene->text;
    my $restarts = $httpd->restarts;
    my $r = meanwhile(sub { $scene->write("# edited\n$text") });

    is $r->{status}, 75, 'a file is edited meanwhile: try again';
    like detail($r), qr{site\.conf: somebody else changed it}, 'is told';
    is $scene->text, "# edited\n$text", 'the edit is there';
    is $httpd->restarts, $restarts, 'httpd was not restarted';
    ok !-e $scene->store . '/journal/active', 'nothing is under way';
    $scene->write($text);
}

# Of two at a time the second is told who the first is.
{
    my $text = $scene->text;
    my $second;
    my $r = meanwhile(sub {
        $second = $scene->ends(['secure', 'a.test'], 75, 'a second acmectl');
    });

    like detail($second), qr/acmectl secure, pid \d+/, 'names the first';
    is $r->{status}, 0, 'which goes on' or diag detail($r);
    $scene->ends(['rollback'], 0, 'rollback');
    is $scene->text, $text, 'as before';
}

# Whoever stops it gets everything as it was.
for my $signal (qw(INT TERM)) {
    my $before = $scene->tree;
    my $restarts = $httpd->restarts;

    my $r = meanwhile(sub { kill $signal, $_[0];
                            select undef, undef, undef, 0.2 });
    isnt $r->{status}, 0, "SIG$signal while it orders";
    like $r->{status}, qr/^\d\z/, 'is no violent end';
    is_deeply $scene->tree, $before, 'all files are as before';
    is $httpd->restarts, $restarts, 'httpd was not restarted';
    ok !-e $scene->store . '/journal/active', 'nothing is under way';
}

is $httpd->faults, '', 'no child of httpd crashed';
done_testing;
