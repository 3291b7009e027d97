#!/usr/bin/perl

# The manager: httpd keeps "acmectl serve" running, and certificates are
# issued and renewed without anybody. ACME_MPM chooses the MPM.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use JSON::PP ();
use Time::HiRes qw(sleep);
use Time::Local ();

use ACME::Scene;

my $scene = ACME::Scene->new(httpd => { manager => 1 });
my ($rig, $httpd, $ca) = ($scene->rig, $scene->httpd, $scene->ca);
my $ledger_file = $scene->store . '/ledger.json';

sub until_true { return eval { ACME::Rig::wait_for(@_); 1 } }

# The name is served with a trusted certificate within some seconds.
sub comes_ok
{
    my ($name, $what, $seconds) = @_;

    until_true($seconds // 30, "the certificate of $name",
               sub { $scene->served($name)->{status} });
    return $scene->serves_ok($name, $what);
}

sub gone_ok
{
    my ($pid, $what, $seconds) = @_;

    ok until_true($seconds // 5, 'its end',
                  sub { !ACME::Rig::exists_pid($pid) }), $what
        or kill 'KILL', $pid;
    return;
}

sub status_of
{
    my ($name) = @_;
    my $json = $scene->ctl('--json', 'status')->{json};
    my ($found) = grep { $_->{name} eq $name } @{$json->{certificates}};

    return wantarray ? ($found, $json) : $found;
}

sub ledger_of
{
    my ($name) = @_;
    my $text = ACME::Rig->read_file($ledger_file) // return {};

    return JSON::PP->new->decode($text)->{certificates}{$name} // {};
}

# Seconds of an RFC 3339 time.
sub epoch
{
    my ($text) = @_;
    my ($y, $m, $d, $h, $min, $s) = $text =~ /(\d+)/g;

    return Time::Local::timegm($s, $min, $h, $d, $m - 1, $y);
}

sub log_count
{
    my ($re) = @_;
    my $count = () = $httpd->error_log =~ /$re/g;

    return $count;
}

# ------------------------------------------------------------- at the start

# A first start with missing certificates issues at once, without anybody.
my $manager;
{
    $scene->config(domains => [['a.test', 'www.a.test'], ['b.test']])->start;
    comes_ok('a.test', 'a first start issues by itself');
    comes_ok('b.test', 'every certificate');
    $manager = $httpd->manager;
    ok $manager, 'the manager runs, a child of httpd';
    like(ACME::Rig->read_file("/proc/$manager/status"), qr/^Uid:\s+0\s+0/m,
         'as root');
    my %open = map { (readlink($_) // '') => 1 } glob "/proc/$manager/fd/*";
    is_deeply [grep { /^socket:/ } keys %open], [],
        'it has inherited no socket of httpd';
    my ($a, $status) = status_of('a.test');
    is_deeply $status->{manager},
        { enabled => JSON::PP::true, running => JSON::PP::true,
          pid => $manager + 0 }, 'status tells its process id';
    is $a->{next_try}, undef, 'and that nothing is held back';
    like $scene->ctl('status')->{out}, qr/^the manager runs \(pid $manager\)$/m,
        'as text too';
    $scene->store_ok('after the first pass');
}

# A restart that brings a domain wakes it at once; it is the same process.
{
    $scene->config(domains => [['a.test', 'www.a.test'], ['b.test'],
                               ['new.test']]);
    kill 'USR1', $httpd->pid;
    comes_ok('new.test', 'a graceful restart brings a domain');
    is $httpd->manager, $manager, 'the manager is the same process';
    my $kept = $scene->kept;
    kill 'HUP', $httpd->pid;
    sleep 1;
    ACME::Rig::wait_for(20, 'httpd', sub { $httpd->get('a.test', '/')->{status} });
    is $httpd->manager, $manager, 'after a restart that is not graceful, too';
    is_deeply $scene->kept, $kept, 'and nothing was issued again';
}

# What the manager says goes where the log is after it was rotated.
{
    my $log = $httpd->root . '/logs/error_log';
    rename $log, "$log.1" or die "$log: $!";
    $scene->config(domains => [['a.test', 'www.a.test'], ['b.test'],
                               ['new.test'], ['rotated.test']]);
    kill 'USR1', $httpd->pid;
    comes_ok('rotated.test', 'after the log was rotated');
    like $httpd->error_log, qr/\[pid $manager\] rotated\.test: the cert/,
        'the manager writes to the new log';
}

# A configuration that the manager cannot read leaves the last one in use.
{
    my $good = ACME::Rig->read_file($httpd->config);
    my $complaint = qr/acme:error\] \[pid $manager\] httpd refuses its conf/;
    $rig->write_file($httpd->config, $good . "NoSuchDirective on\n");
    kill 'HUP', $manager;
    ok until_true(10, 'a complaint', sub {
        log_count($complaint) }), 'a broken configuration is complained of';
    kill 'HUP', $manager;
    sleep 1;
    is log_count($complaint), 1, 'once';
    $rig->write_file($httpd->config, $good);
    is $httpd->manager, $manager, 'and ends nobody';
}

# ------------------------------------------------- others at the same time

# Twenty graceful restarts in a row while certificates are issued: none is
# lost, and the manager stays.
{
    my @names = map { ["g$_.test"] } 1 .. 8;
    $scene->config(domains => [['a.test', 'www.a.test'], @names]);
    my $pid = $httpd->pid;
    my $before = $httpd->restarts;
    for (1 .. 20) {
        kill 'USR1', $pid;
        my $count = $httpd->restarts;
        until_true(5, 'a restart', sub { $httpd->restarts > $count });
    }
    comes_ok($_->[0], "$_->[0] after twenty restarts", 150) for @names;
    is $httpd->manager, $manager, 'the manager is the same process';
    is $httpd->pid, $pid, 'and so is httpd';
    cmp_ok $httpd->restarts - $before, '>=', 15, 'which was restarted often';
    $scene->store_ok('after twenty restarts', orders => 0);
}

# An administrator's acmectl at the same time is told who is busy, or waits.
{
    $ca->restart(sleep => 4);
    $scene->config(domains => [['slow.test']], ca_file => $ca->ca_file);
    kill 'USR1', $httpd->pid;
    ok until_true(20, 'an order', sub {
        -e $scene->store . '/orders/slow.test/order.json' }),
        'the manager is busy';
    my $r = $scene->ctl('--json', 'renew');
    is $r->{status}, 75, 'renew beside it: try later'
        or diag $r->{out}, $r->{err};
    like $r->{json}{error}{detail}, qr/held by acmectl serve, pid $manager/,
        'and names it';
    $r = $scene->ctl('--json', '--wait', 60, 'renew');
    is $r->{status}, 0, '--wait waits for it' or diag $r->{out};
    is $r->{json}{results}[0]{result}, 'skipped', 'and finds it done';
    $scene->serves_ok('slow.test');
    $ca->restart(sleep => 0);
}

# ------------------------------------------------------------------ crashes

# Killed in the middle of its work it is started again, not at once for
# ever, and goes on where it was.
{
    $ca->restart(sleep => 2);
    $scene->config(domains => [['slow.test'], ['killed.test']]);
    kill 'USR1', $httpd->pid;
    ok until_true(20, 'an order', sub {
        -e $scene->store . '/orders/killed.test/order.json' }),
        'an order is under way';
    kill 'KILL', $manager;
    ok until_true(30, 'the next manager', sub {
        my $now = $httpd->manager // $manager; $now != $manager }),
        'killed, it is started again';
    $manager = $httpd->manager;
    like $httpd->error_log, qr/ACME0603: .* ended \(status or signal 9\)/, 'logged';
    comes_ok('killed.test', 'the order goes on', 60);
    $scene->store_ok('after a kill');
    $ca->restart(sleep => 0);
}

# kill -9 of httpd's parent: the manager does not outlive it.
{
    my $pid = $httpd->pid;
    my @children = grep { $_ != $manager } $httpd->children;
    kill 'KILL', $pid;
    gone_ok($manager, 'the parent killed: the manager is gone within 2 s', 2);
    kill 'KILL', @children;
    ACME::Rig::wait_for(10, 'the children', sub {
        !grep { ACME::Rig::exists_pid($_) } @children });
    unlink $httpd->root . '/run/httpd.pid';
    $scene->start;
    $manager = $httpd->manager;
    ok $manager, 'a new start, a new manager';
}

# --------------------------------------------------------- on, off, and end

# httpd ends: so does the manager. ACMEManager off at a restart ends it, on
# starts it; nothing starts it for httpd -t, or without a domain.
{
    $httpd->stop;
    gone_ok($manager, 'httpd is stopped: the manager is gone', 1);
    my $log = $httpd->error_log;
    is $httpd->configtest->{status}, 0, 'httpd -t';
    is $httpd->error_log, $log, '... starts no manager';

    $scene->start;
    $manager = $httpd->manager;
    $httpd->set_manager(0);
    $scene->config(domains => [['slow.test'], ['off.test']]);
    $httpd->graceful;
    gone_ok($manager, 'ACMEManager off: it ends', 1);
    my ($off, $status) = status_of('off.test');
    is $off->{state}, 'missing', 'nobody issues';
    is_deeply $status->{manager},
        { enabled => JSON::PP::false, running => JSON::PP::false,
          pid => undef }, 'status says so';

    $httpd->set_manager(1);
    $scene->config;
    $httpd->graceful;
    is $httpd->manager, undef, 'without a domain there is none';
    $scene->config(domains => [['slow.test'], ['off.test']]);
    $httpd->graceful;
    comes_ok('off.test', 'on again: it issues');
    $manager = $httpd->manager;
    $httpd->stop;
    gone_ok($manager, 'httpd is stopped: the manager is gone', 1);
}

# ------------------------------------------------------------------ failures

# A CA that is down: one failure, then the ladder; neither a restart of
# httpd nor of the manager shortens it, and status tells the time.
{
    $ca->halt;
    $scene->config(domains => [['slow.test'], ['down.test']])->start;
    ok until_true(20, 'a failure', sub { ledger_of('down.test')->{failures} }),
        'a failure is recorded';
    my $entry = ledger_of('down.test');
    my $wait = epoch($entry->{next_try}) - epoch($entry->{last_error}{at});
    cmp_ok $wait, '>=', 44, 'the next try is a minute away';
    cmp_ok $wait, '<=', 76, 'more or less';
    kill 'HUP', $httpd->manager;
    $httpd->graceful;
    $httpd->stop;
    $scene->start;
    sleep 2;
    is_deeply ledger_of('down.test'), $entry, 'restarts do not shorten it';
    my $now = status_of('down.test');
    is $now->{next_try}, $entry->{next_try}, 'status tells the next try';
    like $scene->ctl('status')->{out},
        qr/^down\.test: next try not before \Q$entry->{next_try}\E$/m,
        'as text too';
    is log_count(qr/down\.test: .*cannot reach the CA/), 1,
        'the failure was logged once';
    $ca->start;
    my $r = $scene->ends(['renew'], 0, 'an administrator need not wait');
    is ledger_of('down.test')->{failures}, undef, 'success ends the ladder';
    is status_of('down.test')->{next_try}, undef, 'and status';
    $scene->serves_ok('down.test');
}

# Certificates of seconds are renewed again and again, by themselves.
{
    $ca->restart(profiles => { default => { description => 'short',
                                            validityPeriod => 24 } });
    $scene->config(domains => [['short.test']]);
    kill 'USR1', $httpd->pid;
    my $first = comes_ok('short.test', 'a certificate of 24 seconds');
    my %seen = ($first->{serial} // '' => 1);
    ok until_true(60, 'two renewals', sub {
        my $cert = $scene->served('short.test')->{cert};
        $seen{$cert->{serial}} = 1 if $cert && $cert->{serial};
        keys %seen >= 3;
    }), 'is renewed when it is due, and again';
    cmp_ok $scene->generation('short.test'), '<=', 8,
        'and no more often than that';
    $ca->restart(profiles => { default => { description => 'long',
                                            validityPeriod => 9_000_000 } });
}

# A store that cannot be written: httpd and manager live on, no CA is asked,
# and the certificates come when there is room again.
SKIP: {
    my $full = $rig->make_dir($rig->path('full'), 0755);
    my $mount = ACME::Rig::program('mount');
    my $r = $mount ? $rig->run([$mount, '-t', 'tmpfs', '-o', 'size=96k',
                                'tmpfs', $full]) : { status => 1 };
    skip 'no tmpfs can be mounted here', 5 if $r->{status};
    $rig->write_file("$full/ballast", 'x' x 60_000);
    $httpd->stop;
    $scene->config(domains => [['room.test']],
                   text => "ACMEStoreDir \"$full/acme\"\n");
    my $before = () = $ca->requests;
    $scene->start;
    ok until_true(20, 'a complaint', sub {
        log_count(qr/cannot be written, so no CA was asked|No space left/) }),
        'a full disk is complained of';
    is scalar(my @now = $ca->requests), $before, 'no CA was asked';
    ok $httpd->manager, 'the manager lives on';
    is $httpd->get('room.test', '/')->{status}, 200, 'and so does httpd';
    unlink "$full/ballast";
    kill 'USR1', $httpd->pid;
    comes_ok('room.test', 'with room again');
    $httpd->stop;
    $rig->run([ACME::Rig::program('umount'), $full]);
}

# ------------------------------------------------------- a broken acmectl

sub start_with
{
    my ($acmectl) = @_;

    $httpd->stop if $httpd->is_running;
    local $httpd->{env}{ACMECTL} = $acmectl;
    $scene->config(domains => [['slow.test']])->start;
    return;
}

# A missing acmectl is one line of the log.
{
    start_with($rig->path('nowhere'));
    is log_count(qr{ACME0600: the manager \S+/nowhere cannot be started}), 1,
        'a missing acmectl is one line of the log';
    is $httpd->get('slow.test', '/')->{status}, 200, 'httpd runs';
}

# One that ends at once is started again with pauses, not in a loop.
{
    my $count = $rig->path('count');
    my $broken = $rig->write_file('broken', "#!/bin/sh\necho x >>$count\n"
                                  . "exit 3\n", 0755);
    start_with($broken);
    ok until_true(30, 'its second start', sub {
        (ACME::Rig->read_file($count) // '') =~ /x\nx\n/ }),
        'one that ends is started again';
    my $starts = () = ACME::Rig->read_file($count) =~ /x/g;
    cmp_ok $starts, '<=', 3, 'with pauses';
    like $httpd->error_log, qr/ACME0603: .* signal 3\); it is started again after 1 s/,
        'logged with the pause';
    $httpd->stop;
}

# -X: one process cannot watch another.
{
    $scene->config(domains => [['slow.test']]);
    my $pid = $rig->spawn($httpd->command('-X'), env => $httpd->{env},
                          log => $rig->path('x.log'));
    ACME::Rig::wait_port($httpd->http, 'httpd', sub { $rig->alive($pid) });
    ok until_true(20, 'a word', sub {
        log_count(qr/ACME0604: no manager with one process/) }),
        '-X: the log says that there is no manager';
    is_deeply [ACME::Rig::Httpd::_children($pid)], [],
        '... and there is none';
    $rig->kill_pid($pid);
}

is $httpd->faults, '', 'no child of httpd crashed';
done_testing;
