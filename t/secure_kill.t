#!/usr/bin/perl

# acmectl secure is killed, at each call that changes anything, the first
# time on a server: the order, the early changes, two restarts and the
# checkpoint are all in it. After `acmectl recover` every file is as before
# or as after, and the httpd that runs has loaded just that.
#
#   SECURE_KILL=all prove t/secure_kill.t     every point, not a sample

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(time);

use ACME::OldSite;
use ACME::Rig;

my @CALLS = qw(rename renameat renameat2 link linkat unlink unlinkat rmdir
    mkdir mkdirat symlink symlinkat fsync write pwrite64 ftruncate fchmod
    fchown fsetxattr kill);
my $SECONDS = 30;

my $strace = ACME::Rig::program('strace');
my @modules = grep { !/^(?:ssl|socache_shmcb)$/ } @ACME::Rig::Httpd::MODULES;
my $scene = ACME::OldSite->new(
    httpd => { without_acme => 1, http_only => 1, modules => \@modules },
    hosts => <<'END');
<VirtualHost *:%HTTP%>
    ServerName a.test
</VirtualHost>
END
my ($rig, $httpd) = ($scene->rig, $scene->httpd);
my $root = $httpd->root;
my @options = $scene->options;

plan skip_all => 'needs strace' if !$strace
    || $rig->run([$strace, '-qq', '-o', '/dev/null', 'true'])->{status};
$httpd->write_config("<IfModule acme_module>\n"
    . "    ACMEStoreDir \"$root/acme\"\n    ACMEManager off\n"
    . '    ACMEPortMap http:' . $httpd->http . ' https:' . $httpd->https
    . "\n</IfModule>\n" . $scene->{text});
$scene->start;

sub acmectl
{
    my ($before, @args) = @_;

    return $rig->run([@$before, ACME::Rig::acmectl_path(), '--httpd',
        $httpd->binary, '-d', $root, '-f', $httpd->config, '--json', @args],
        env => { %{$httpd->env}, ACME_MODULE => ACME::Rig::module_path() });
}

sub has_module
{
    return ($rig->read_file('/proc/' . $httpd->pid . '/maps') // '')
        =~ /mod_acme/ ? 1 : 0;
}

# Everything back to the begin.
sub reset_all
{
    my ($is_after) = @_;
    my @faults;

    if ($is_after) {
        my $r = acmectl([], 'rollback');
        push @faults, "rollback: $r->{status} $r->{out}" if $r->{status};
    }
    $rig->run(['rm', '-rf', "$root/acme"]);
    return @faults;
}

my $before = $scene->tree;
my $trace = $rig->path('trace');
my $r = acmectl([$strace, '-qq', '-o', $trace, '-e',
                 'trace=' . join ',', @CALLS], 'secure', 'a.test', @options);
is $r->{status}, 0, 'a run that nobody kills' or diag $r->{out}, $r->{err};
$scene->serves_ok('a.test');
my $after = $scene->tree;
is_deeply [reset_all(1)], [], 'is undone';
is_deeply $scene->tree, $before, 'wholly';

# [call, n] of each call of that run.
my (%count, @points);
for (split /\n/, $rig->read_file($trace)) {
    push @points, [$1, ++$count{$1}] if /^(\w+)\(/;
}
cmp_ok scalar(@points), '>', 100, scalar(@points) . ' points to kill at';

# What must be true after recovery.
sub faults
{
    my ($pis_after) = @_;
    my @faults;
    my $r = acmectl([], 'recover');
    my $tree = $scene->tree;

    push @faults, "recover: $r->{status} $r->{out}" if $r->{status};
    $$pis_after = join(' ', map { "$_ $tree->{$_}" } sort keys %$tree)
        eq join ' ', map { "$_ $after->{$_}" } sort keys %$after;
    if (!$$pis_after) {
        push @faults, "$_ is neither as before nor as after" for grep {
            ($tree->{$_} // '') ne ($before->{$_} // '') }
            sort keys %{{ %$tree, %$before }};
    }
    return (@faults, 'httpd does not run') if !$httpd->is_running;
    push @faults, 'httpd -t refuses it' if $httpd->configtest->{status};
    push @faults, 'httpd has loaded something else'
        if has_module() != ($$pis_after ? 1 : 0);
    push @faults, 'http does not answer'
        if $httpd->get('a.test', '/')->{status} != 200;
    push @faults, 'https does not answer' if $$pis_after
        && $httpd->get_tls('a.test', '/')->{status} != 200;
    push @faults, map { "$_ is left" } grep { -e "$root/acme/$_" }
        'journal/active', 'reload';
    return @faults;
}

# Killed there.
sub kill_at
{
    my ($call, $n) = @_;
    my $r = acmectl([$strace, '-qq', '-o', '/dev/null', '-e', "trace=$call",
        '-e', "inject=$call:signal=KILL:when=$n"], 'secure', 'a.test',
        @options);
    my $is_after = 0;
    my @faults = faults(\$is_after);

    push @faults, "status $r->{status} $r->{out}"
        if $r->{status} != 137 && $r->{status} != 0;
    push @faults, reset_all($is_after);
    push @faults, 'not undone'
        if join(' ', %{$scene->tree}{sort keys %$before})
           ne join ' ', %$before{sort keys %$before};
    return ($r->{status} == 137, $is_after, map { "$call $n: $_" } @faults);
}

# A sample is spread over the run, the calls that make files live in it.
my $all = ($ENV{SECURE_KILL} // '') eq 'all';
my @rest = map { $points[$_] } sort { ($a * 7919) % 1009
                                      <=> ($b * 7919) % 1009 } 0 .. $#points;
my @first = grep { $_->[0] =~ /^(?:renameat2|kill)$/ } @points;
my ($end, $tried, $killed, $done) = (time + $SECONDS, 0, 0, 0);
my (%seen, @faults);

for my $point ($all ? @points : (@first, @rest)) {
    last if !$all && time > $end;
    next if $seen{"@$point"}++;
    my ($was_killed, $is_after, @found) = kill_at(@$point);
    $tried++;
    $killed += $was_killed;
    $done += $is_after;
    push @faults, @found;
    last if @faults > 20;
}
cmp_ok $killed, '>', 5, "killed at $killed of $tried points, $done of them "
    . 'with the change done';
is_deeply \@faults, [], 'before or after, and httpd knows'
    or diag join "\n", @faults;
is $httpd->faults, '', 'no child of httpd crashed';
done_testing;
