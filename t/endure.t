#!/usr/bin/perl

# What a server has to endure: a live segment that is full, foreign, cut
# short or without room; stores that rot or fill up; clocks that jump; kills
# at any time; restarts in the middle of everything. Whatever it is, httpd
# goes on with the last good certificate, and when it is over the next order
# ends well. ACME_MPM chooses the MPM of the parts that run on one;
# ENDURE=N repeats the kills and restarts N times as often (1).

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use File::Copy qw(copy);
use File::Path qw(remove_tree);
use POSIX ();
use Time::HiRes qw(time sleep);

use ACME::Scene;
use ACME::Rig::Mounted;

my $TIMES = $ENV{ENDURE} || 1;
my $live_put = ACME::Rig::builddir() . '/t/lib/live_put';

sub until_true { return eval { ACME::Rig::wait_for(@_); 1 } }

# $NEW is a name that the CA has not validated yet: for the others it may
# ask for no challenge.
my $NEW = 'new.test';
my @DOMAINS = (['a.test'], ['b.test'], [$NEW]);

# httpd's log since its last restart.
sub log_now
{
    my ($httpd) = @_;

    return $httpd->error_log =~ s/.*(?=SIGUSR1 received)//sr;
}

# The serial of the trusted certificate that a new connection gets; ''
# without an answer of 200.
sub serial
{
    my ($scene, $name) = @_;
    my $answer = $scene->served($name);

    return $answer->{status} == 200 ? $answer->{cert}{serial} : '';
}

sub segment { return $_[0]->httpd->root . '/run/acme-live' }

# acmectl renews $name and httpd serves the new certificate.
sub renews_ok
{
    my ($scene, $name, $what) = @_;
    my $old = serial($scene, $name);

    $scene->ends(['--wait', 30, 'renew', '--force', $name], 0, $what);
    my $new = serial($scene, $name);
    ok $new && $new ne $old, '... and the new certificate is served'
        or diag "$old -> $new";
    return $new;
}

# ------------------------------------------------------------ the segment

# A segment that acmectl must not use, or its file of challenges: it says so
# in one sentence, keeps its hands off, and httpd serves what it did. A
# restart replaces what is only damaged, and says what it does not dare to.
sub check_foreign
{
    my ($scene) = @_;
    my ($rig, $httpd) = ($scene->rig, $scene->httpd);
    my $nobody = getpwnam 'nobody';
    my $other = $rig->write_file('other', "somebody's\n", 0600);
    my $patch = sub {
        my ($file, $at, $bytes) = @_;
        open my $out, '+<', $file or die $!;
        seek $out, $at, 0;
        print {$out} $bytes;
        close $out;
    };
    my $format = sub { my ($n) = @_; sub { $patch->($_[0], 8, pack 'L', $n) } };
    my $fifo = sub { unlink $_[0]; POSIX::mkfifo($_[0], 0600) };
    my @cases = (
        ['a segment of the format before', '', 1, $format->(1)],
        ['a segment of a format to come', '', 1, $format->(99)],
        ['challenges of the format before', '.challenges', 1, $format->(1)],
        ['a segment without its magic', '', 1,
         sub { $patch->($_[0], 0, 'NOTHING!') }],
        ['a segment that is longer than it says', '', 1, sub {
            open my $out, '>>', $_[0] or die $!;
            print {$out} "more\n" }],
        ['a segment that is gone', '', 1, sub { unlink $_[0] }],
        ['challenges that are gone', '.challenges', 1, sub { unlink $_[0] }],
        ['an empty segment', '', 1, sub {
            unlink $_[0]; $rig->write_file($_[0], '', 0600) }],
        ['a symbolic link in its place', '', 0, sub {
            unlink $_[0]; symlink $other, $_[0] }],
        ['a FIFO in its place', '', 0, $fifo],
        ['a FIFO for challenges', '.challenges', 0, $fifo],
        ['a segment that others may read', '', 0, sub { chmod 0644, $_[0] }],
        ["somebody else's segment", '', 0, sub { chown $nobody, -1, $_[0] }],
        ['a segment with a second name', '', 0, sub {
            link $_[0], "$_[0].2" }],
    );

    for my $case (@cases) {
        my ($what, $suffix, $heals, $spoil) = @$case;
        my $file = segment($scene) . $suffix;
        my $good = serial($scene, 'a.test');

        $spoil->($file);
        $scene->refuses(['issue', $NEW], 1,
            qr/httpd cannot be told .*live segment \Q$file\E/, $what);
        $httpd->graceful;
        is serial($scene, 'a.test'), $good, '... a restart serves the same';
        next if $heals;
        like log_now($httpd), qr/ACME0200: .*\Q$file\E cannot be used/,
            '... and says that it cannot be used';
        unlink $file, "$file.2";
        $httpd->graceful;
    }
    renews_ok($scene, 'a.test', 'after all this renewals work');
    is $rig->read_file('other'), "somebody's\n", "nobody's file was touched";
    return;
}

# ------------------------------------------------------------- all is full

# More certificates than the segment has slots: the others are served and
# renewed all the same, with a graceful restart.
sub check_slots
{
    my ($mpm) = @_;
    my $small = ACME::Rig::builddir() . '/t/lib/.libs/mod_acme_small.so';

    plan skip_all => "$small is not built" if !-e $small;
    local $ENV{ACME_MODULE} = $small;
    my $scene = ACME::Scene->new(name => "-slots-$mpm",
                                 httpd => { mpm => $mpm });
    my $httpd = $scene->httpd;
    my @names = qw(a.test b.test c.test);

    $scene->config(domains => [map { [$_] } @names])->start;
    like $httpd->error_log, qr/ACME0204: 1 of the certificates have no place/,
        'httpd starts and says which limit was met';
    $scene->ends(['renew'], 0, 'all are issued');
    $scene->serves_ok($_) for @names;
    for my $name (@names) {
        my $before = $httpd->restarts;
        renews_ok($scene, $name, "$name is renewed");
        is $httpd->restarts - $before, $name eq 'c.test' ? 1 : 0,
            $name eq 'c.test' ? 'with a restart, having no slot'
                              : 'without a restart, having one';
    }
    $scene->serves_ok($_, "$_ is served after all") for @names;
    is $httpd->faults, '', 'no child crashed';
    $httpd->stop;
    $scene->ca->stop;
    return;
}

# No place for another token: the order fails with one sentence, nothing
# else does; tokens end by themselves, and then there is room.
sub check_tokens
{
    my ($scene) = @_;
    my ($rig, $httpd) = ($scene->rig, $scene->httpd);
    my $fill = sub { $rig->run([$live_put, segment($scene), 'fill', @_]) };

    is $fill->(600)->{status}, 0, 'a table full of tokens';
    $scene->refuses(['issue', $NEW], 1,
                    qr/for \Q$NEW\E .*\Q@{[segment($scene)]}\E: its disk is full, or more challenges are pending/,
                    'leaves no place for another');
    $httpd->graceful;
    $scene->refuses(['issue', $NEW], 1,
                    qr/for \Q$NEW\E .*\Q@{[segment($scene)]}\E: its disk is full, or more challenges are pending/,
                    'a restart takes them all along');
    $fill->(-1);
    renews_ok($scene, 'a.test', 'when they have expired there is room');
    return;
}

# The disk of the live segment is full. What has no page yet cannot be
# written: acmectl says so and httpd goes on. A restart cannot make a
# segment, which is one line of the log, and does not stop httpd.
sub check_segment_disk
{
    my ($scene) = @_;
    my ($rig, $httpd) = ($scene->rig, $scene->httpd);
    my $dir = $rig->path('runtime');
    my $disk = ACME::Rig::Mounted->new($dir, 'size=256k,mode=0755')
        or plan skip_all => 'no tmpfs can be mounted here';

    $scene->config(domains => \@DOMAINS,
                   text => "DefaultRuntimeDir \"$dir\"\n");
    $httpd->graceful;
    ACME::Rig::wait_for(10, 'the segment', sub { -e "$dir/acme-live" });
    my $good = serial($scene, 'a.test');
    $disk->fill;
    $scene->refuses(['issue', $NEW], 1,
                    qr/for \Q$NEW\E .*: its disk is full/,
                    'a full disk under the segment');
    $httpd->graceful;
    like log_now($httpd), qr/ACME0200: .*No space left/,
        'a restart says that there is no segment';
    is serial($scene, 'a.test'), $good, '... and serves the same';
    $disk->free;
    $httpd->graceful;
    renews_ok($scene, 'a.test', 'with room again it works');
    # The CA asks for no challenge, but there is no page for the certificate:
    # httpd is restarted for it, and cannot make another segment.
    $scene->ca->restart(authz_reuse => 100);
    $scene->config(domains => \@DOMAINS, text =>
                   "DefaultRuntimeDir \"$dir\"\n");
    $scene->ends(['renew', '--force', 'b.test'], 0, 'a CA that knows us');
    $httpd->graceful;
    $disk->fill;
    my $before = $httpd->restarts;
    renews_ok($scene, 'b.test', 'no page for a certificate');
    is $httpd->restarts - $before, 1, '... httpd is restarted for it';
    renews_ok($scene, 'b.test', '... and again, without a segment');
    $disk->free;
    $httpd->graceful;
    $before = $httpd->restarts;
    renews_ok($scene, 'b.test', 'with room again');
    is $httpd->restarts - $before, 0, '... without a restart';
    $scene->ca->restart(authz_reuse => 0);
    $scene->config(domains => \@DOMAINS);
    $httpd->graceful;
    $scene->ends(['renew', '--force', 'a.test', 'b.test'], 0, 'back again');
    return;
}

# --------------------------------------------------------------- the store

# A disk that is full under the store: one sentence, nothing lost, the last
# good certificate is served, also by an httpd that is restarted or started
# meanwhile; with room again the next order ends well.
sub check_store_disk
{
    my ($scene) = @_;
    my ($rig, $httpd) = ($scene->rig, $scene->httpd);
    my $dir = $rig->path('disk');
    my $disk = ACME::Rig::Mounted->new($dir, 'size=512k,mode=0700')
        or plan skip_all => 'no tmpfs can be mounted here';

    $scene->{store} = "$dir/acme";
    $scene->config(domains => [['d.test']],
                   text => "ACMEStoreDir \"$dir/acme\"\n");
    $httpd->graceful;
    $scene->ends(['renew'], 0, 'a store on a small disk');
    my $good = serial($scene, 'd.test');
    ok $good, 'is served from';
    for my $less (0, 4096, 12_288) {
        $disk->fill($less);
        $scene->refuses(['renew', '--force', 'd.test'], 1,
                        qr/No space left/, "full to $less bytes");
        $httpd->graceful;
        is serial($scene, 'd.test'), $good, 'a restart serves the same';
        $disk->free;
    }
    $disk->fill;
    $httpd->stop;
    $scene->start;
    is serial($scene, 'd.test'), $good, 'so does a start';
    $disk->free;
    renews_ok($scene, 'd.test', 'with room again it works');
    $scene->store_ok('after a full disk');
    delete $scene->{store};
    $scene->config(domains => \@DOMAINS);
    $httpd->graceful;
    return;
}

# Certificates that rot in the store while httpd runs: what it serves stays;
# a restart finds them and serves the generation before; a renewal replaces
# them at once.
sub check_rot
{
    my ($scene) = @_;
    my ($rig, $httpd) = ($scene->rig, $scene->httpd);
    my $cert = sub { return $scene->file('a.test', 'fullchain.pem') };
    my $key = sub { return $scene->file('a.test', 'key.pem') };
    my $write = sub { return $rig->write_file($_[0], $_[1], 0600) };
    my @cases = (
        ['cut short', sub { truncate $cert->(), 200 }],
        ['emptied', sub { truncate $key->(), 0 }],
        ['garbage', sub { $write->($cert->(), "\0\xff" x 5000) }],
        ['a key in its place', sub { copy($key->(), $cert->()) }],
        ['10 MB', sub { $write->($cert->(), 'x' x 10_000_000) }],
        ['the key of another', sub {
            copy($scene->file('b.test', 'key.pem'), $key->()) }],
    );

    for my $case (@cases) {
        my ($what, $spoil) = @$case;
        my $before = renews_ok($scene, 'a.test', "$what: a good one");
        my $good = renews_ok($scene, 'a.test', "$what: the one to rot");

        $spoil->();
        is serial($scene, 'a.test'), $good, "$what: what is served stays";
        $httpd->graceful;
        is serial($scene, 'a.test'), $before,
            '... a restart serves the generation before';
    }
    $httpd->stop;
    $scene->start;
    ok serial($scene, 'a.test'), '... and a start';
    renews_ok($scene, 'a.test', 'a renewal needs no restart');
    $httpd->graceful;
    $scene->serves_ok('a.test', 'nor minds one');
    $scene->store_ok('after all this');
    return;
}

# --------------------------------------------------------------- the clock

# acmectl with a clock of its own, that jumps when told to.
sub clock_script
{
    my ($rig) = @_;
    my ($library) = glob '/usr/lib/*/faketime/libfaketime.so.1';
    my $acmectl = ACME::Rig::acmectl_path();
    my $file = $rig->path('clock');

    return undef if !$library;
    clock_set($rig, '+0');
    return $rig->write_file('acmectl-of-another-time', <<"END", 0755);
#!/bin/sh
export LD_PRELOAD="\$LD_PRELOAD \$LD_PRELOAD $library" FAKETIME_NO_CACHE=1
export FAKETIME_TIMESTAMP_FILE='$file' FAKETIME_DONT_FAKE_MONOTONIC=1
exec '$acmectl' "\$@"
END
}

sub clock_set
{
    my ($rig, $offset) = @_;

    $rig->write_file('clock.new', "$offset\n", 0644);
    return rename $rig->path('clock.new'), $rig->path('clock');
}

# A clock that jumps by weeks, forward or back: the CA is not asked in a
# circle, what is served stays, and when the clock is right again so is
# everything else.
sub check_clock
{
    my $scene = ACME::Scene->new(name => '-clock', httpd => { manager => 1 },
        pebble => { profiles => { default => {
            description => 'ten days', validityPeriod => 864_000 } } });
    my ($rig, $httpd, $ca) = ($scene->rig, $scene->httpd, $scene->ca);
    my $acmectl = clock_script($rig)
        // plan skip_all => 'needs faketime, which is not installed';
    my @domains = (['a.test']);

    $httpd->{env}{ACMECTL} = $acmectl;
    $scene->config(domains => \@domains)->start;
    ok until_true(30, 'a certificate', sub { serial($scene, 'a.test') }),
        'issued in the present';
    my $good = serial($scene, 'a.test');
    for my $jump ('+20d', '-20d') {
        my $name = $jump =~ /\+/ ? 'future.test' : 'past.test';
        my $before = () = $ca->requests;

        clock_set($rig, $jump);
        push @domains, [$name];
        $scene->config(domains => \@domains);
        $httpd->graceful;
        ok until_true(30, 'a failure', sub {
            $httpd->error_log =~ /\] \Q$name\E: [^\n]*clock/ }),
            "$jump: the manager says that a clock is wrong"
            or diag $httpd->error_log_tail;
        kill 'HUP', $httpd->manager for 1 .. 3;
        sleep 1;
        my $after = () = $ca->requests;
        cmp_ok $after - $before, '<=', 40, '... and asks the CA no more';
        is serial($scene, 'a.test'), $good, '... what is served stays';
        clock_set($rig, '+0');
        kill 'HUP', $httpd->manager;
        ok until_true(60, "$name", sub { serial($scene, $name) }),
            '... and right again it issues';
        is serial($scene, 'a.test'), $good, '... what is not there yet';
    }
    $scene->store_ok('after two jumps');
    $httpd->stop;
    $ca->stop;
    return;
}

# ------------------------------------------------------------------- kills

# The manager killed at any time: the next one goes on with the orders of
# the last, and httpd serves.
sub check_kills
{
    my ($scene) = @_;
    my ($rig, $httpd) = ($scene->rig, $scene->httpd);
    my @names = map { "k$_.test" } 1 .. 6 * $TIMES;
    my (@faults, $pid);

    $scene->config(domains => [@DOMAINS, map { [$_] } @names]);
    $httpd->graceful;
    my $good = serial($scene, 'a.test');
    my $before = grep { $_->[1] eq '/order-plz' } $scene->ca->requests;
    my $open = sub { return scalar(my @o = glob $scene->store . '/orders/*') };
    my $manager = sub {
        return $rig->spawn([ACME::Rig::acmectl_path(), '--httpd',
            $httpd->binary, '-d', $httpd->root, '-f', $httpd->config,
            '--log', 'stderr', '--log-level', 'info', 'serve'], log => $rig->path('manager.log'),
            env => $httpd->env);
    };
    my $kills = 10 * $TIMES;
    for my $n (1 .. $kills) {
        $pid = $manager->();
        # From its first look to the middle of the orders, in steps.
        sleep 0.03 + 0.9 * $n / $kills;
        kill 'KILL', $pid;
        $rig->kill_pid($pid);
        push @faults, map { "kill $n: $_" } grep { !/left over/ }
            $scene->_mode_faults;
        push @faults, "kill $n: another certificate"
            if serial($scene, 'a.test') ne $good;
    }
    $pid = $manager->();
    ok until_true(60, 'the orders', sub {
        !grep { !serial($scene, $_) } @names }),
        "killed $kills times, the next manager goes on to the end"
        or diag scalar $rig->read_file('manager.log');
    unlike $rig->read_file('manager.log'), qr/^.*error\].*$/m,
        'and nothing has failed';
    ok until_true(10, 'the rest', sub { !$open->() }), 'no order is left';
    $rig->kill_pid($pid);
    is_deeply \@faults, [], 'after each kill all is well'
        or diag join "\n", @faults;
    my $orders = grep { $_->[1] eq '/order-plz' } $scene->ca->requests;
    # A kill can lose what the CA has said in that very moment, of all orders
    # that are made then; without an order kept each would make them all.
    cmp_ok $orders - $before, '<=', 3 * @names + $kills,
        'orders go on, they are not made anew: ' . ($orders - $before);
    $scene->store_ok('after all kills');
    return;
}

# A run that is killed between keeping a certificate and telling httpd leaves
# nothing that is due. The next one tells httpd, whether somebody runs it or
# it is the manager.
sub check_left
{
    my ($scene) = @_;
    my ($rig, $httpd) = ($scene->rig, $scene->httpd);
    my $current = $scene->store . '/domains/a.test/current';
    my $switch = sub {
        unlink $current;
        symlink sprintf('%08d', $_[0]), $current or die $!;
    };

    $scene->config(domains => \@DOMAINS);
    $httpd->graceful;
    for my $who (qw(renew manager)) {
        my $old = renews_ok($scene, 'a.test', 'one to be served');
        my $generation = $scene->generation('a.test');
        my $new = renews_ok($scene, 'a.test', 'one to be left');

        # httpd has loaded the old one; the new one is kept, not told.
        $switch->($generation);
        $httpd->graceful;
        is serial($scene, 'a.test'), $old, 'httpd does not know of it';
        $switch->($generation + 1);
        my $restarts = $httpd->restarts;
        if ($who eq 'renew') {
            my $r = $scene->ends(['renew'], 0, 'renew has nothing to do');
            is ACME::Scene::result_of($r, 'a.test')->{result}, 'skipped',
                '... for a.test';
        }
        else {
            my $pid = $rig->spawn([ACME::Rig::acmectl_path(), '--httpd',
                $httpd->binary, '-d', $httpd->root, '-f', $httpd->config,
                '--log', 'stderr', '--log-level', 'info', 'serve'],
                log => $rig->path('left.log'), env => $httpd->env);
            ok until_true(30, 'a word', sub {
                ($rig->read_file('left.log') // '')
                    =~ /a\.test: the certificate that an earlier run has left/
                }), 'the manager says what it has found';
            $rig->kill_pid($pid);
        }
        is serial($scene, 'a.test'), $new, "$who: it is served";
        is $httpd->restarts, $restarts, '... without a restart';
    }
    return;
}

# httpd's parent killed: the manager goes, the children go on serving what
# they did, and when they are ended a new start finds nothing in its way.
sub check_parent
{
    my ($mpm) = @_;
    my $scene = ACME::Scene->new(name => "-parent-$mpm",
        httpd => { mpm => $mpm, manager => 1 });
    my ($rig, $httpd) = ($scene->rig, $scene->httpd);

    $scene->config(domains => [['a.test']])->start;
    ok until_true(30, 'a certificate', sub { serial($scene, 'a.test') }),
        "$mpm: a certificate";
    my $good = renews_ok($scene, 'a.test', "$mpm: one that was swapped");
    my $files = sub { return [sort map { s{.*/}{}r }
                              glob $httpd->root . '/run/*'] };
    my $before = $files->();
    my ($pid, $manager) = ($httpd->pid, $httpd->manager);
    my @children = grep { $_ != $manager } $httpd->children;

    kill 'KILL', $pid;
    ok until_true(5, 'its end', sub { !ACME::Rig::exists_pid($manager) }),
        "$mpm: the manager goes with its parent";
    is serial($scene, 'a.test'), $good, "$mpm: the children serve on"
        for 1 .. 3;
    kill 'KILL', @children;
    ok until_true(10, 'the children', sub {
        !grep { ACME::Rig::exists_pid($_) } @children }),
        "$mpm: until they are ended, too";
    # Where nobody waits for it, it looks as if it ran.
    unlink $httpd->root . '/run/httpd.pid';
    $scene->start;
    is serial($scene, 'a.test'), $good, "$mpm: a new start works";
    is_deeply $files->(), $before, "$mpm: and nothing is left behind";
    renews_ok($scene, 'a.test', "$mpm: and swaps");
    is $httpd->faults, '', "$mpm: no child crashed";
    $httpd->stop;
    $scene->ca->stop;
    return;
}

# ---------------------------------------------------------------- restarts

# Requests for a name, one connection after the other, as a process; the
# results are lines of a file: "200 SERIAL", or what went wrong.
sub client
{
    my ($scene, $name, $file) = @_;
    # A copy: the CA's own is written again and again.
    my $roots = $scene->rig->write_file("$file.roots",
                                        $scene->ca->root_pem);

    return $scene->rig->spawn_sub(sub {
        open my $out, '>', $file or die $!;
        $out->autoflush(1);
        while (1) {
            my $answer = $scene->httpd->get_tls($name, '/', ca => $roots);
            print {$out} "$answer->{status} ",
                $answer->{cert}{serial} // $answer->{error} // '?', "\n";
        }
    });
}

# What the parent holds: descriptors, mappings of segments, KB of memory.
sub holdings
{
    my ($pid) = @_;
    my $maps = ACME::Rig->read_file("/proc/$pid/maps") // '';
    my ($kb) = (ACME::Rig->read_file("/proc/$pid/status") // '')
        =~ /^VmRSS:\s+(\d+)/m;

    return { fds => scalar(my @fds = glob "/proc/$pid/fd/*"),
             segments => scalar(() = $maps =~ m{/acme-live$}mg), kb => $kb };
}

# Graceful restarts in a row in the middle of an issuance, with requests
# going on: no connection fails, every certificate comes, and nothing is
# left of the restarts.
sub check_restarts
{
    my ($mpm, $count) = @_;
    my $scene = ACME::Scene->new(name => "-restarts-$mpm",
        httpd => { mpm => $mpm, manager => 1 });
    my ($rig, $httpd) = ($scene->rig, $scene->httpd);
    my @names = map { "n$_.test" } 1 .. 4;
    my $file = $rig->path("client-$mpm");

    $scene->config(domains => [['a.test']])->start;
    ok until_true(30, 'a certificate', sub { serial($scene, 'a.test') }),
        "$mpm: a certificate";
    my $good = serial($scene, 'a.test');
    $httpd->graceful for 1 .. 2;
    my ($pid, $manager) = ($httpd->pid, $httpd->manager);
    my $before = holdings($pid);
    my @files = sort map { s{.*/}{}r } glob $httpd->root . '/run/*';
    my $client = client($scene, 'a.test', $file);
    $scene->config(domains => [['a.test'], map { [$_] } @names]);
    for my $n (1 .. $count) {
        my $now = $httpd->restarts;

        kill 'USR1', $pid;
        until_true(10, 'a restart', sub { $httpd->restarts > $now });
        $before = holdings($pid) if $n == int($count / 4);
    }
    ok until_true(150, 'the certificates', sub {
        !grep { !serial($scene, $_) } @names }),
        "$mpm: $count restarts: every certificate comes"
        or diag $httpd->error_log_tail(40);
    $rig->kill_pid($client);
    my %seen;
    $seen{$_}++ for grep { /\n/ } split /(?<=\n)/, $rig->read_file($file);
    is_deeply [grep { $_ ne "200 $good\n" } keys %seen], [],
        "$mpm: no connection failed of " . ($seen{"200 $good\n"} // 0);
    is $httpd->pid, $pid, "$mpm: the same httpd";
    is $httpd->manager, $manager, "$mpm: the same manager";
    my $after = holdings($pid);
    is $after->{fds}, $before->{fds}, "$mpm: no descriptor is left";
    is $after->{segments}, 1, "$mpm: one segment is mapped";
    cmp_ok $after->{kb} - $before->{kb}, '<', 1024,
        "$mpm: the parent does not grow: $before->{kb} to $after->{kb} KB";
    is_deeply [sort map { s{.*/}{}r } glob $httpd->root . '/run/*'], \@files,
        "$mpm: no file is left";
    ok until_true(20, 'the old children', sub {
        !grep { (ACME::Rig->read_file("/proc/$_/maps") // '')
                =~ m{/acme-live \(deleted\)} } $httpd->children }),
        "$mpm: no child of before is left";
    $scene->store_ok("$mpm: after the restarts");
    is $httpd->faults, '', "$mpm: no child crashed";
    $httpd->stop;
    $scene->ca->stop;
    return;
}

# ----------------------------------------------------------------------- go

# Parts by their names, or all: prove t/endure.t :: kills restarts
my %wanted = map { $_ => 1 } @ARGV;
my $scene;

sub part
{
    my ($name, $code, @args) = @_;

    return if %wanted && !$wanted{$name};
    my $start = time;
    subtest $name => sub { $code->(@args); done_testing };
    diag sprintf '%s: %.1f s', $name, time - $start if $ENV{ENDURE_TIMES};
    return;
}

ACME::Rig::skip_unless_able(qw(openssl));
plan skip_all => "$live_put is not built" if !-x $live_put;
$scene = ACME::Scene->new;
$scene->config(domains => \@DOMAINS)->start;
$scene->ends(['issue', 'a.test', 'b.test'], 0, 'certificates');
part(foreign => \&check_foreign, $scene);
part(tokens => \&check_tokens, $scene);
part(segment_disk => \&check_segment_disk, $scene);
$scene->ends(['issue', $NEW], 0, 'what was begun is brought to its end');
part(store_disk => \&check_store_disk, $scene);
part(rot => \&check_rot, $scene);
part(left => \&check_left, $scene);
part(kills => \&check_kills, $scene);
is $scene->httpd->faults, '', 'no child crashed';
$scene->httpd->stop;
$scene->ca->stop;
part(slots => \&check_slots, 'event');
part(clock => \&check_clock);
part(parent => \&check_parent, $_) for qw(event worker prefork);
part(restarts => \&check_restarts, 'event', 20 * $TIMES);
part(restarts => \&check_restarts, $_, 6 * $TIMES) for qw(worker prefork);
done_testing;
