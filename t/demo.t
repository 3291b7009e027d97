#!/usr/bin/perl

# What a newcomer sees first: the demo obtains certificates for three sites
# and shows them, cleans up, can be left running and ended.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use JSON::PP ();

use ACME::Rig;

ACME::Rig::skip_unless_able(qw(openssl pebble pebble-challtestsrv));
plan skip_all => 'needs acmectl, which is not built'
    if !-x ACME::Rig::acmectl_path();

my $rig = ACME::Rig->new;
my $state = $rig->path('demo.json');

sub demo
{
    return $rig->run([$^X, "$FindBin::Bin/../support/demo.pl", @_],
        env => { ACME_DEMO_STATE => $state, KEEP => undef }, timeout => 120);
}

# A certificate is renewed under load: same processes, nothing fails, and the
# new one is there within a second. What is said of it agrees with what is
# served before and listed after.
sub check_renewal
{
    my ($out) = @_;
    my ($served) = $out =~ /^shop\.test +200 .* (\w+)$/m;
    my ($old, $new) = $out =~ /^serial: +(\w+) before, (\w+) after$/m;
    my ($connections, $failed) = $out
        =~ /^connections: +(\d+), (\d+) failed, the slowest \d+ ms$/m;
    my ($late, $side) = $out
        =~ /^the old one: +last served ([\d.]+) s (before|after) acmectl /m;

    is $old, $served, 'the renewal begins with what was served';
    isnt $new, $old, 'and ends with another certificate';
    like $out, qr/^httpd: +process (\d+) before, \g1 after$/m,
        'the same httpd';
    like $out, qr/^its children: +[1-9]\d* before, all still there$/m,
        'the same children';
    cmp_ok $connections // 0, '>', 20, 'clients were there';
    is $failed, 0, 'no connection failed';
    ok $side && ($side eq 'before' || $late < 1), 'new within a second'
        or diag $out;
    like $out, qr/; httpd was never restarted\.$/m, 'without a restart';
    return;
}

# An old site that speaks only http: the plan is shown and touches nothing,
# one restart later it speaks https, and all of it is undone to the byte.
sub check_old_site
{
    my ($out) = @_;
    my (undef, $old) = split /^An old site /m, $out;
    my (undef, $plan, $run, $undo) = split /^\$ acmectl /m, $old // '';

    like $plan, qr/^\+<VirtualHost \*:\d+>$/m, 'a diff with the TLS twin';
    like $plan, qr/^\+    ACMERequireHTTPS permanent$/m, 'and the redirect';
    like $plan, qr/^Nothing was touched\.$/m, 'it was only a plan';
    like $run, qr/^Graceful restarts of httpd: 1$/m, 'one restart';
    like $undo, qr/^before: +200 This is old\.test\. +not verified$/m,
        'http before';
    like $undo,
        qr{^secured: +308 https://old\.test/ +200 This is old\.test\.$}m,
        'https then';
    like $undo, qr/^undone: +200 This is old\.test\. +not verified$/m,
        'http again';
    like $undo, qr/^The configuration is as it was, to the byte\.$/m,
        'nothing is left of it';
    return;
}

# It ends well, every name is verified, and nothing of it stays.
{
    my $r = demo();
    is $r->{status}, 0, 'the demo ends with 0' or diag $r->{out}, $r->{err};
    my ($before, $after) = split /What is served now/, $r->{out};
    my @before = $before =~ /^(\S+\.test) +503 +no /mg;
    my @rows = $after =~ /^(\S+\.test) +200 +yes +.*Pebble .*\d{4}-\d\d/mg;
    is_deeply \@before, [qw(blog.test shop.test www.shop.test wiki.test)],
        'stand-ins before';
    is_deeply \@rows, \@before, 'trusted certificates after';
    like $after, qr/^shop\.test .* shop\.test www\.shop\.test /m,
        'one certificate has two names';
    check_renewal($after);
    check_old_site($after);
    my ($dir) = $r->{out} =~ m{\((/\S+)/httpd/conf/httpd\.conf\)};
    ok $dir && !-e $dir, 'its directory is gone';
    my ($pid) = $r->{out} =~ /httpd: process (\d+)/;
    ok $pid && !ACME::Rig::exists_pid($pid), 'so is its httpd';
    ok !-e $state, 'and nothing is noted as running';
}

# Kept, it serves on; a second one is refused; it is ended by its note.
{
    my $r = demo('--keep');
    is $r->{status}, 0, 'the demo with --keep';
    my $note = JSON::PP->new->decode($rig->read_file($state));
    my @pids = @{$note->{pids}};
    is scalar(grep { ACME::Rig::exists_pid($_) } @pids), 3,
        'httpd, the CA and the resolver run on';
    my ($port) = $r->{out} =~ /https on port (\d+)/;
    is ACME::Rig::fetch($port, 'wiki.test', tls => 1,
        ca => "$note->{dir}/pebble/roots.pem")->{body}, "This is wiki.test.\n",
        'and serve';
    $r = demo();
    isnt $r->{status}, 0, 'no second one beside it';
    like $r->{err}, qr/running already; end it by: sh support\/demo --stop/,
        'and it says what to do';
    is demo('--stop')->{status}, 0, '--stop';
    ok !(grep { ACME::Rig::exists_pid($_) } @pids), 'all have ended';
    ok !-e $note->{dir}, 'the directory is gone';
    like demo('--stop')->{out}, qr/No demo was left running/,
        '--stop again finds nothing';
}

# A note that outlived its processes neither stops strangers nor a new demo.
{
    my $dir = $rig->make_dir('acme-rig-x');
    $rig->write_file($state, JSON::PP->new->encode(
        { dir => $dir, pids => [$$] }));
    is demo('--stop')->{status}, 0, '--stop with a stale note';
    ok ACME::Rig::exists_pid($$), 'kills nobody else';
}

# An option it does not know, or an ordinary user: a sentence.
{
    # Where he can read it: root's clone may lie where only root can.
    my $script = $rig->write_file('clone/demo', $rig->read_file(
        "$FindBin::Bin/../support/demo"), 0755);
    my $user = $rig->run(['sh', $script], user => 'nobody');
    is $user->{status}, 0, 'an ordinary user';
    like $user->{out}, qr/skipped: it needs root, since httpd starts as root/,
        'is told why';
    my $r = $rig->run(['sh', "$FindBin::Bin/../support/demo", '--what']);
    is $r->{status}, 2, 'an unknown option';
    like $r->{out}, qr/sh support\/demo \[--keep\]/, 'shows the usage';
}

done_testing;
