#!/usr/bin/perl

# acmectl is killed, at every request and at every write of a run: nothing
# is half-written, and the next run finishes the same order.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use JSON::PP ();

use ACME::Scene;
use ACME::Rig::EvilCA;

# A CA that kills: the file "kill" in its directory names a lock file (which
# holds acmectl's process id), whom to kill, when, and at which request from
# then on.
{
    package KillerCA;
    our @ISA = ('ACME::Rig::EvilCA');

    sub answer
    {
        my ($self, $request) = @_;
        my $plan = ACME::Rig->read_file("$self->{dir}/kill") // '';
        my ($lock, $who, $when, $n) = split ' ', $plan;

        if (!$n || ($self->{plan} // '') ne $plan) {
            @$self{qw(plan count)} = ($plan, 0);
        }
        return $self->SUPER::answer($request)
            if !$n || ++$self->{count} != $n;
        $self->SUPER::answer($request) if $when eq 'after';
        my ($pid) = (ACME::Rig->read_file($lock) // '') =~ /pid (\d+)/
            or return { drop => 1 };
        ($pid) = ACME::Rig::Httpd::_children($pid) if $who eq 'worker';
        kill 'KILL', $pid if $pid;
        return { drop => 1 };
    }

    # From now on, once; nobody without arguments.
    sub arm
    {
        my ($self, $lock, $who, $when, $n) = @_;
        my $serial = ++$self->{serial};

        $self->{rig}->write_file("$self->{dir}/kill", $n
            ? "$lock $who $when $n $serial\n" : '');
        return;
    }
}

my $scene = ACME::Scene->new(ca => 0);
my ($rig, $httpd) = ($scene->rig, $scene->httpd);
my $ca = KillerCA->new($rig, http => $httpd->http)->start;
$scene->{ca} = $ca;
$scene->config(domains => [['a.test', 'www.a.test']])->start;
my $json = JSON::PP->new->utf8;

# What must hold right after a kill: nothing that others can read, what is
# current is complete, and nothing of the CA's work was thrown away.
sub torn
{
    my ($what) = @_;
    my @faults = grep { !/left over/ } $scene->_mode_faults;

    for my $dir (glob $scene->store . '/domains/*') {
        my ($id) = $dir =~ m{([^/]+)$};
        next if !-l "$dir/current";
        push @faults, map { "domains/$id: $_" }
            grep { !/newer than current|neither a generation/ }
            $scene->_pair_faults($id);
    }
    push @faults, 'httpd does not run' if !$httpd->is_running;
    return map { "$what: $_" } @faults;
}

# The run after a kill: it succeeds, goes on with the order that the killed
# run had kept, and leaves a whole store.
sub finishes
{
    my ($what, @args) = @_;
    my $order = $scene->store . '/orders/a.test';
    my $kept = eval { $json->decode($rig->read_file("$order/order.json")) };
    my $key = $rig->read_file("$order/key.pem") // '';
    my $current = $rig->read_file($scene->file('a.test', 'key.pem')) // '';
    my @faults;

    # Its certificate is kept already: nothing to go on with.
    undef $kept if $key && $key eq $current;
    $ca->arm;
    $ca->clear_requests;
    my $r = $httpd->acmectl(['--json', @args]);
    push @faults, "exit status $r->{status}: $r->{out}$r->{err}"
        if $r->{status};
    if ($kept) {
        push @faults, 'a second order was made' if $ca->requests('newOrder');
        push @faults, "the order $kept->{url} was not asked for"
            if !grep { $ca->base . $_->{path} eq $kept->{url} }
            $ca->requests('order');
    }
    my $new = $rig->read_file($scene->file('a.test', 'key.pem')) // '';
    push @faults, 'another key was made' if $kept && $key && $key ne $new;
    push @faults, 'a key is used twice' if $new eq $current;
    push @faults, $scene->_mode_faults, map { "a.test: $_" }
        $scene->_pair_faults('a.test');
    push @faults, map { "$_: left over" } glob $scene->store . '/orders/*';
    return map { "$what: $_" } @faults;
}

# A run that has nothing to do clears up behind a killed one all the same;
# only the order stays, for when it is wanted.
sub clears_up
{
    my ($what) = @_;
    my $r = $httpd->acmectl(['--json', 'issue', 'a.test']);

    return map { "$what, cleared up: $_" }
        $r->{status} ? "exit status $r->{status}" : (),
        $scene->_mode_faults, $scene->_pair_faults('a.test');
}

# Kill at request 1, 2, ... until a run gets through. Returns the sentences
# of the killed runs.
sub kill_at_requests
{
    my ($who, $when, $new_stores) = @_;
    my @args = ('issue', '--force', 'a.test');
    my (@faults, %sentences);
    my $n = 0;

    while (++$n < 40) {
        my @store = $new_stores
            ? ('--store', $scene->{store} = $rig->path("store-$when-$n")) : ();
        $ca->arm($scene->store . '/lock', $who, $when, $n);
        my $r = $httpd->acmectl(['--json', @store, @args]);
        last if $r->{status} == 0;
        my $what = "$who, $when request $n";
        my $said = eval { $json->decode($r->{out}) } // {};
        $sentences{$said->{results}[0]{error}{detail}}++
            if $said->{results};
        push @faults, "$what: status $r->{status}"
            if $r->{status} != ($who eq 'keeper' ? 137 : 1);
        push @faults, torn($what), finishes($what, @store, @args);
        my @accounts = glob $scene->store . '/accounts/*';
        push @faults, "$what: " . @accounts . ' accounts' if @accounts != 1;
    }
    $ca->arm;
    delete $scene->{store};
    cmp_ok $n, '>', $new_stores ? 10 : 8, "the $who is killed $when each of "
        . ($n - 1) . ' requests' . ($new_stores ? ' of a new store' : '');
    is_deeply \@faults, [], '... the next run always finishes'
        or diag join "\n", @faults;
    return sort keys %sentences;
}

# A first certificate: account, order and certificate are all new.
kill_at_requests('keeper', $_, 1) for 'before', 'after';

# A renewal: the certificate in use survives every kill, and httpd with it.
$ca->arm;
$scene->ends(['issue', 'a.test'], 0, 'a certificate to lose');
kill_at_requests('keeper', 'after');

# The net worker alone is killed: acmectl says so, and how to go on.
{
    my @sentences = kill_at_requests('worker', 'before');
    is scalar(@sentences), 1, 'one sentence for all' or diag "@sentences";
    like $sentences[0],
        qr/network process was killed by signal 9; run the command/,
        'that says what to do';
}
$scene->serves_ok('a.test', 'and a.test is served');

# No worker outlives its keeper.
{
    my @left = grep { (ACME::Rig->read_file("$_/cmdline") // '')
                      =~ /acmectl.*\Q$httpd->{root}\E/s } glob '/proc/[0-9]*';
    is_deeply \@left, [], 'no process is left';
}

# Killed at every write: strace lets the n-th call of each kind kill.
SKIP: {
    my $strace = ACME::Rig::program('strace');
    skip 'needs strace', 1 if !$strace
        || $rig->run([$strace, '-qq', '-o', '/dev/null', 'true'])->{status};
    my @command = (ACME::Rig::acmectl_path(), '--httpd', $httpd->binary,
        '-d', $httpd->root, '-f', $httpd->config, '--json', 'issue',
        '--force', 'a.test');
    my (@faults, %points);

    for my $call (qw(rename renameat symlink mkdir fsync unlink unlinkat
                     rmdir fchmod ftruncate)) {
        my $n = 0;
        while (++$n < 60) {
            # Most syncs stand beside another call of the list.
            next if $call eq 'fsync' && $n % 2;
            my $r = $rig->run([$strace, '-qq', '-o', '/dev/null', '-e',
                "trace=$call", '-e', "inject=$call:signal=KILL:when=$n",
                @command]);
            last if $r->{status} == 0;
            my $what = "killed at $call $n";
            if ($r->{status} != 137 && $r->{err} =~ /invalid|unknown/i) {
                last;
            }
            $points{$call}++;
            push @faults, "$what: status $r->{status} $r->{out}$r->{err}"
                if $r->{status} != 137;
            push @faults, torn($what),
                $call eq 'fsync' ? () : clears_up($what),
                finishes($what, 'issue', '--force', 'a.test');
        }
    }
    my $all = 0;
    $all += $_ for values %points;
    cmp_ok $all, '>', 20, 'killed at ' . join ', ',
        map { "$points{$_} $_" } sort keys %points;
    is_deeply \@faults, [], 'the next run always finishes'
        or diag join "\n", @faults;
}

# A kill between keeping the certificate and forgetting its order must not
# make a later renewal fetch the old certificate again.
{
    my $old = $rig->read_file($scene->file('a.test', 'cert.pem'));
    $scene->ends(['issue', '--force', 'a.test'], 0, 'a renewal after all');
    isnt $rig->read_file($scene->file('a.test', 'cert.pem')), $old,
        'is a new certificate';
    $scene->serves_ok('a.test');
    $scene->store_ok('after all kills');
}

is $httpd->faults, '', 'no child of httpd crashed';
done_testing;
