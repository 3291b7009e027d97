package ACME::Bench;

# What the measurements of t/bench share: medians, how busy the machine is,
# many certificates at once, and a fast https client.

use strict;
use warnings;

use JSON::PP ();
use POSIX ();
use Time::HiRes qw(time sleep);

use ACME::Rig ();

sub median
{
    my @sorted = sort { $a <=> $b } @_;

    return ($sorted[$#sorted / 2] + $sorted[@sorted / 2]) / 2;
}

# ------------------------------------------------------------ the machine

# Ticks of all processors since the boot: (busy, all).
sub _ticks
{
    my ($line) = (ACME::Rig->read_file('/proc/stat') // '') =~ /^cpu +(.*)/m;
    my @ticks = split ' ', $line // '';
    my $all = 0;

    $all += $_ for @ticks[0 .. 7];
    return ($all - $ticks[3] - $ticks[4], $all);
}

# What else runs is no defect, but who reads the figures has to know: the
# machine's load, and a warning when it is not idle now.
sub machine
{
    my ($load) = (ACME::Rig->read_file('/proc/loadavg') // '')
        =~ /^(\S+ \S+ \S+)/;
    my $cpus = () = (ACME::Rig->read_file('/proc/cpuinfo') // '')
        =~ /^processor\s*:/mg;
    my @before = _ticks();

    sleep 0.5;
    my @after = _ticks();
    my $busy = 100 * ($after[0] - $before[0])
        / (($after[1] - $before[1]) || 1);
    printf "%d CPUs, load %s, %.0f %% busy before it begins\n", $cpus,
        $load // '?', $busy;
    print "WARNING: the machine is busy; times say little, ratios less than "
        . "they seem to, instructions are right\n" if $busy > 15;
    return;
}

# User and system seconds of processes, their ended children not included.
sub cpu
{
    my $ticks = 0;

    for my $pid (@_) {
        my $stat = ACME::Rig->read_file("/proc/$pid/stat") // next;
        my @fields = split ' ', $stat =~ s/^.*\) //sr;
        $ticks += $fields[11] + $fields[12];
    }
    return $ticks / 100;
}

# ----------------------------------------------------------- certificates

# Make certificates: ($rig, $root, "name,name" => directory, ...). The file
# $root gets the root. Directories are made, too.
sub certificates
{
    my ($rig, $root, @pairs) = @_;
    my $input = '';

    while (my ($name, $dir) = splice @pairs, 0, 2) {
        $rig->make_dir($dir, 0700);
        $input .= "$name $dir\n";
    }
    my $r = $rig->run([ACME::Rig::builddir() . '/t/lib/tls_make', $root],
                      input => $input, timeout => 300);
    die "tls_make: $r->{err}\n" if $r->{status};
    return;
}

# A store as acmectl keeps it, with generation 1 of a certificate for each
# name, or list of names; the file $root gets their root.
sub store
{
    my ($rig, $store, $root, @lists) = @_;
    my @names = map { ref ? $_->[0] : $_ } @lists;
    my %all = map { ref ? ($_->[0] => $_) : ($_ => [$_]) } @lists;
    my $json = JSON::PP->new->canonical;
    my %date = map { $_ => POSIX::strftime('%Y-%m-%dT00:00:00Z',
        gmtime(time + $_ * 86_400)) } -1, 89;

    $rig->make_dir($_, 0700) for $store, "$store/domains";
    $rig->write_file("$store/format", "acme-store 1\n", 0600);
    $rig->make_dir("$store/domains/$_", 0700) for @names;
    certificates($rig, $root,
                 map { (join(',', @{$all{$_}}) => "$store/domains/$_/00000001") }
                 @names);
    for my $name (@names) {
        my $dir = "$store/domains/$name";

        $rig->write_file("$dir/00000001/meta.json", $json->encode({
            schema => 'acme-certificate/1', name => $name,
            names => $all{$name},
            key_type => 'P-256', ca => 'https://localhost:1/dir',
            issuer => 'Bench CA', serial => '01', sha256 => 'ab' x 32,
            not_before => $date{-1}, not_after => $date{89},
            issued => $date{-1} }), 0600);
        symlink '00000001', "$dir/current" or die "$dir/current: $!\n";
    }
    return;
}

# ----------------------------------------------------------------- client

my %ARG = (port => '-p', name => '-n', version => '-v', threads => '-t',
           connections => '-c', seconds => '-s', wait => '-w', roots => '-r');

sub load_command
{
    my (%opt) = @_;

    return [ACME::Rig::builddir() . '/t/lib/tls_load',
            map { ($ARG{$_}, $opt{$_}) } sort keys %opt];
}

# Options: port, name, version ("1.2", "1.3"), threads, connections,
# seconds, wait (ms), roots. Returns { connections, failed, seconds, longest,
# longest_at, median, certificates => { serial => [first, last, count] } }.
sub load
{
    my ($rig, %opt) = @_;

    return parse_load($rig->run(load_command(%opt), timeout => 600));
}

# The same in the background, until load_end.
sub load_begin
{
    my ($rig, %opt) = @_;
    my $file = $rig->path('load-' . ++$rig->{bench_loads});

    return { rig => $rig, file => $file,
             pid => $rig->spawn(load_command(%opt), log => $file) };
}

sub load_end
{
    my ($load) = @_;

    kill 'TERM', $load->{pid};
    ACME::Rig::wait_for(60, 'the clients to end',
                        sub { !$load->{rig}->alive($load->{pid}) });
    delete $load->{rig}{pids}{$load->{pid}};
    return parse_load({ status => 0, err => '',
                        out => ACME::Rig->read_file($load->{file}) });
}

sub parse_load
{
    my ($r) = @_;
    my %load = (certificates => {}, err => $r->{err});

    die "tls_load: $r->{err}$r->{out}\n"
        if $r->{status} || $r->{out} !~ /^connections /m;
    $load{err} .= "$_\n" for grep { /^tls_load: / } split /\n/, $r->{out};
    for (split /\n/, $r->{out}) {
        my ($word, @rest) = split ' ';
        next if !defined $word;
        if ($word eq 'certificate') {
            $load{certificates}{$rest[0]} = [@rest[1 .. 3]];
        }
        elsif ($word eq 'longest') {
            @load{qw(longest longest_at)} = @rest;
        }
        elsif ($word =~ /^(?:connections|failed|seconds|median)$/) {
            $load{$word} = $rest[0];
        }
    }
    return \%load;
}

1;
