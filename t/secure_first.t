#!/usr/bin/perl

# The first time on a server: httpd does not even load mod_acme and mod_ssl,
# and listens on one port. secure does all of it, and takes all of it back
# where something fails, also where no namespace can be made to test in.

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

my @modules = grep { !/^(?:ssl|socache_shmcb)$/ } @ACME::Rig::Httpd::MODULES;
my $scene = ACME::OldSite->new(
    httpd => { without_acme => 1, http_only => 1, modules => \@modules },
    hosts => <<'END');
<VirtualHost *:%HTTP%>
    ServerName a.test
    ServerAlias bad.test
</VirtualHost>
END
my ($rig, $httpd, $ca) = ($scene->rig, $scene->httpd, $scene->ca);
my $root = $httpd->root;
my @options = $scene->options;

# What an admin says once mod_acme is there; the ports of the test.
$httpd->write_config("<IfModule acme_module>\n"
    . "    ACMEStoreDir \"$root/acme\"\n    ACMEManager off\n"
    . '    ACMEPortMap http:' . $httpd->http . ' https:' . $httpd->https
    . "\n</IfModule>\n" . $scene->{text});
$scene->start;
my $pristine = $scene->tree;

# httpd behind a program that counts how often it is asked.
my $log = $rig->path('asked');
my $counting = $rig->write_file('httpd-counting', "#!/bin/sh\n"
    . "echo \"\$*\" >> '$log'\nexec '" . $httpd->binary . "' \"\$@\"\n", 0755);

# Run acmectl with that httpd; options: bare (1: it may make no namespace).
sub run
{
    my ($what, $status, $args, %opt) = @_;
    my @bare = $opt{bare} ? ('setpriv', '--bounding-set=-sys_admin',
                             '--inh-caps=-sys_admin') : ();

    unlink $log;
    my $r = $rig->run([@bare, ACME::Rig::acmectl_path(), '--httpd', $counting,
        '-d', $root, '-f', $httpd->config, '--json', @$args],
        env => { %{$httpd->env}, ACME_MODULE => ACME::Rig::module_path() });
    $r->{json} = eval { JSON::PP->new->utf8->decode($r->{out}) };
    $r->{what} = "acmectl @$args";
    $scene->json_ok($r);
    is $r->{status}, $status, $what or diag $r->{out}, $r->{err};
    my @asked = split /\n/, $rig->read_file($log) // '';
    $r->{tests} = grep { /(?:^| )-t(?: |$)/ } @asked;
    return $r;
}

sub detail { return $_[0]{json}{error} ? $_[0]{json}{error}{detail} : '' }
sub is_pristine
{
    my ($what) = @_;

    is_deeply $scene->tree, $pristine, "$what: all files as before";
    is $httpd->get('a.test', '/')->{status}, 200, '... http answers';
    ok !-e "$root/acme/journal/active", '... nothing is under way';
    ok !-e "$root/acme/reload", '... nobody has to be told';
    return;
}

for my $bare (0, 1) {
    my $how = $bare ? 'without a namespace' : 'in a namespace';

    SKIP: {
        skip 'no namespace to test in', 1 if !$bare && !ACME::Rig::may_mount();
        skip 'needs setpriv', 1
            if $bare && $rig->run(['setpriv', '--version'])->{status};

        # A plan is a plan.
        my $r = run("$how: a plan", 0, ['secure', '--plan', 'a.test',
                                        @options], bare => $bare);
        like $r->{json}{diff}, qr/^\+LoadModule acme_module /m,
            'it loads mod_acme';
        like $r->{json}{diff}, qr/^\+LoadModule ssl_module /m, 'and mod_ssl';
        like $r->{json}{diff}, qr/^\+\s*Listen \S*:?${\$httpd->https}\b/m,
            'and listens';
        is_pristine('a plan');

        # The CA refuses: no trace, and httpd has let go of mod_acme.
        my $restarts = $httpd->restarts;
        $ca->resolver('set-servfail', { host => 'bad.test' });
        $r = run('the CA refuses', 1, ['secure', 'a.test', 'bad.test',
                                       @options], bare => $bare);
        like detail($r), qr/bad\.test.*as they were/, 'says whom';
        is_pristine('a refusal');
        is $httpd->restarts, $restarts + 2, '... restarted there and back';
        unlike $rig->read_file('/proc/' . $httpd->pid . '/maps'),
            qr/mod_acme/, '... and mod_acme is not in it';

        # Pebble's order and the authorization that failed can wait for each
        # other's locks for ever: it begins anew after each refusal.
        $ca->restart;

        # Without that name it works.
        $restarts = $httpd->restarts;
        $r = run('without that name', 3, ['secure', '--allow-partial',
            '--redirect', 'a.test', 'bad.test', @options], bare => $bare);
        is $r->{json}{checkpoint}, 1, 'one checkpoint';
        is $httpd->restarts, $restarts + 2, 'one restart to answer, one '
            . 'to serve';
        $scene->serves_ok('a.test');
        $ca->resolver('clear-servfail', { host => 'bad.test' });
        $ca->restart;

        run('rollback', 0, ['rollback']);
        is_pristine('rollback');
        $httpd->stop;
        $rig->run(['rm', '-rf', "$root/acme"]);
        $scene->start;

        # All of it, and not httpd -t again and again.
        $r = run('secure', 0, ['secure', 'a.test', @options], bare => $bare);
        cmp_ok $r->{tests}, "<=", 5, "$r->{tests} times httpd -t" or diag $rig->read_file($log);
        $scene->serves_ok('a.test');
        $r = run('nothing to do', 0, ['secure', 'a.test']);
        is $r->{tests}, 1, 'once to see that';
        run('rollback', 0, ['rollback']);
        is_pristine('rollback');
        $r = run('install', 0, ['install', 'a.test'], bare => $bare);
        cmp_ok $r->{tests}, '<=', 3, "$r->{tests} times httpd -t";
        $scene->serves_ok('a.test');
        run('rollback', 0, ['rollback']);
        is_pristine('rollback');
        $rig->run(['rm', '-rf', "$root/acme"]);
    }
}

# Whoever stops it while httpd is prepared to answer the CA gets everything
# as it was, and an httpd that has let go of mod_acme.
for my $signal (qw(INT TERM)) {
    my $flag = $rig->path("ordering-$signal");
    my $slow = ACME::Rig::EvilCA->new($rig, name => "slow-$signal",
        http => $httpd->http, answers => { newOrder => sub {
            $rig->write_file($flag, '');
            return { delay => 20 } } })->start;
    my $restarts = $httpd->restarts;
    my $pid = fork // die "cannot fork: $!\n";
    if (!$pid) {
        @ENV{keys %{$httpd->env}} = values %{$httpd->env};
        $ENV{ACME_MODULE} = ACME::Rig::module_path();
        open STDIN, '<', '/dev/null';
        open $_, '>', '/dev/null' for *STDOUT, *STDERR;
        no warnings 'exec';
        exec ACME::Rig::acmectl_path(), '--httpd', $httpd->binary, '-d',
            $root, '-f', $httpd->config, 'secure', 'a.test', '--agree-tos',
            '--ca', $slow->directory, '--ca-certificate', $slow->ca_file,
            '--contact', 'none';
        POSIX::_exit(127);
    }
    ACME::Rig::wait_for(20, 'the order', sub { -e $flag });
    kill $signal, $pid;
    waitpid $pid, 0;
    is $?, 1 << 8, "SIG$signal: exit status 1, no violent end";
    is_pristine("SIG$signal");
    is $httpd->restarts, $restarts + 2, '... restarted there and back';
    unlike $rig->read_file('/proc/' . $httpd->pid . '/maps'), qr/mod_acme/,
        '... and mod_acme is not in it';
    $slow->stop;
    $rig->run(['rm', '-rf', "$root/acme"]);
}

# A program that takes the TLS port while the CA is asked: httpd would not
# survive the restart, so there is none.
{
    my $flag = $rig->path('ordering');
    my $err = $rig->path('stolen-err');
    my $slow = ACME::Rig::EvilCA->new($rig, name => 'slow-ca',
        http => $httpd->http, answers => { newOrder => sub {
            my ($request, $honest) = @_;
            $rig->write_file($flag, '');
            for (1 .. 100) {
                last if -e "$flag.go";
                select undef, undef, undef, 0.05;
            }
            return $honest->() } })->start;
    my $pid = fork // die "cannot fork: $!\n";
    if (!$pid) {
        @ENV{keys %{$httpd->env}} = values %{$httpd->env};
        $ENV{ACME_MODULE} = ACME::Rig::module_path();
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', $err;
        no warnings 'exec';
        exec ACME::Rig::acmectl_path(), '--httpd', $httpd->binary, '-d',
            $root, '-f', $httpd->config, 'secure', 'a.test', '--agree-tos',
            '--ca', $slow->directory, '--ca-certificate', $slow->ca_file,
            '--contact', 'none';
        POSIX::_exit(127);
    }
    ACME::Rig::wait_for(20, 'the order', sub { -e $flag });
    my $thief = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8,
        LocalPort => $httpd->https, ReuseAddr => 1) or die "thief: $!\n";
    $rig->write_file("$flag.go", '');
    waitpid $pid, 0;
    is $?, 1 << 8, 'a port that is taken meanwhile';
    like $rig->read_file($err), qr/port ${\$httpd->https}.*as they were/s,
        'is named';
    close $thief;
    ok $httpd->is_running, 'httpd runs on';
    is_pristine('a port that was taken');
    $rig->run(['rm', '-rf', "$root/acme"]);
}

is $httpd->faults, '', 'no child of httpd crashed';
done_testing;
