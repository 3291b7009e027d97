#!/usr/bin/perl

# Configuration trees as distributions and people write them (t/roots): the
# real httpd accepts each; what DUMP_ACME says of its hosts is what
# `httpd -S` says; the names are those that a person read out of the files.
# Then acmectl changes it: every byte that differs was reviewed; the hosts
# that were there answer as before; a second run has nothing to do; what was
# enhanced can be taken back; a rollback leaves the tree as it was.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use ACME::Bench;
use ACME::Hosts;
use ACME::Rig;
use ACME::Rig::Pebble;
use ACME::Root;

ACME::Rig::skip_unless_able(qw(openssl diff));
plan skip_all => 'needs acmectl, which is not built'
    if !-x ACME::Rig::acmectl_path();

my $rig = ACME::Rig->new;
my @ports = $rig->ports(4);
my $own = $rig->make_tls('own');
my @names = @ARGV ? @ARGV : ACME::Root::names();
my $pebble;

# Nobody listens there: what is in the store is not ordered.
my @SECURE = qw(secure --no-redirect --agree-tos --contact none
                --ca https://localhost:1/dir);

cmp_ok scalar @names, '>=', 30, 'enough trees' if !@ARGV;
for my $name (@names) {
    subtest $name => sub { tree($name) };
}

sub root
{
    my ($name, %opt) = @_;

    return ACME::Root->new($rig, $name, ports => \@ports,
                           cert => $own->{cert}, key => $own->{key}, %opt);
}

sub tree
{
    my ($name) = @_;
    my $root = root($name);

    note $root->{what};
    my $document = read_alike($root) or return;
    known($root, $document);
    offered($root);
    fill_store($root, $document);
    refused($root, $_) for @{$root->{refused} // []};
    changed($root) if @{$root->{secure}};
    whole(root($name, as => "$name-whole")) if $root->{whole};
    return;
}

# ----------------------------------------------------------------- reading

# httpd accepts the tree, and its table of hosts is ours.
sub read_alike
{
    my ($root) = @_;
    my $dump = $root->document;

    is $dump->{status}, 0, 'httpd accepts it' or diag $dump->{err};
    my $document = $dump->{json} // return fail 'a document';
    my $table = $root->httpd('-t', '-D', 'DUMP_VHOSTS');
    is_deeply ACME::Hosts::of_document($document),
        ACME::Hosts::of_httpd($table->{out}), 'the hosts are those of -S'
        or diag $table->{out};
    return $document;
}

# Without a name, and nobody to ask, acmectl tells the names, twenty at most.
sub offered
{
    my ($root) = @_;
    my $json = acmectl($root, 2, @SECURE);
    my ($list) = ($json->{error}{detail} // '')
        =~ /those not yet secured: (.*)$/;

    my @want = @{$root->{names}};
    splice @want, 20, @want, '...' if @want > 20;
    is_deeply [split /, /, $list // ''], \@want, 'acmectl offers them';
    return;
}

# What a person read out of the files: the names, and who serves them.
sub known
{
    my ($root, $document) = @_;
    my %places = %{$root->{hosts} // {}};

    is_deeply ACME::Hosts::names($document), $root->{names},
        'the names to secure';
    for my $name (sort keys %places) {
        my $want = join ' ', map { $root->place($_) }
            $places{$name} eq 'the main server' ? ()
                : split / /, $places{$name};
        is ACME::Hosts::serving($document, $name), $want,
            "$name is served at $places{$name}";
    }
    return;
}

# ---------------------------------------------------------------- changing

# A certificate for each host that is going to be secured, so that no CA is
# needed.
sub fill_store
{
    my ($root, $document) = @_;
    my (%names, @order);

    for my $name (@{$root->{secure}}) {
        my $place = ACME::Hosts::serving($document, $name);
        push @order, $place if !$names{$place};
        push @{$names{$place}}, $name;
    }
    ACME::Bench::store($rig, $root->store, $rig->path('bench-root.pem'),
                       map { $names{$_} } @order);
    return;
}

# acmectl --json has to end with a status, and to leave no change if it is
# not 0.
sub acmectl
{
    my ($root, $status, @args) = @_;
    my $before = $status ? $root->snapshot : undef;
    my $r = $root->acmectl('--json', '--yes', @args);

    is $r->{status}, $status, "acmectl @args: $status"
        or diag $r->{out}, $r->{err};
    is_deeply [$root->changed($before)], [], 'nothing was changed' if $before;
    return $r->{json} // {};
}

# The reason names what is wrong and where, and there is a text to paste.
sub refused
{
    my ($root, $refused) = @_;
    my $json = acmectl($root, 1, @SECURE, @{$refused->{names}});

    like $json->{error}{detail} // '', qr/$refused->{says}/,
        "refused: @{$refused->{names}}";
    like $json->{paste} // '', qr/\Q$refused->{paste}\E/, 'the text to paste'
        if $refused->{paste};
    return;
}

# The table of -S, without places: edits move what stands further down.
sub table
{
    my ($root) = @_;
    my $r = $root->httpd('-t', '-D', 'DUMP_VHOSTS');
    my $of = ACME::Hosts::of_httpd($r->{out});

    is $r->{status}, 0, 'httpd accepts the tree' or diag $r->{err};
    return { map { $_ => [map { $_->{name} } @{$of->{$_}}] } keys %$of };
}

# All hosts of before are there, in the same order, the first one being
# still the first; new ones come where TLS is spoken.
sub keeps_hosts
{
    my ($before, $after) = @_;

    for my $address (sort keys %$before) {
        my @had = @{$before->{$address}};
        my @has = @{$after->{$address} // []};
        is $has[0], $had[0], "$address: the same default host";
        my %new;
        $new{$_}++ for @has;
        $new{$_}-- for @had;
        my @kept = grep { ($new{$_} // 0) <= 0 || !$new{$_}-- } reverse @has;
        is_deeply [reverse @kept], \@had, "$address: the same order";
    }
    return;
}

# What differs from a snapshot is what somebody has read and approved.
sub as_reviewed
{
    my ($root, $what, $before) = @_;
    my $file = "$ACME::Root::ROOTS/$root->{name}/$what.diff";
    my $diff = $root->diff($before);

    $rig->write_file($file, $diff, 0644) if $ENV{UPDATE};
    is $diff, ACME::Rig->read_file($file) // '', "as in $what.diff";
    return;
}

sub changed
{
    my ($root) = @_;
    my ($name) = @{$root->{secure}};
    my @secure = (@SECURE, @{$root->{secure}});
    my $start = $root->snapshot;
    my $table = table($root);

    acmectl($root, 0, @secure, '--plan');
    is_deeply [$root->changed($start)], [], 'a plan changes nothing';
    acmectl($root, 0, @secure);
    as_reviewed($root, 'secure', $start);
    keeps_hosts($table, table($root));
    my $secured = $root->snapshot;
    ok !acmectl($root, 0, @secure)->{changed}, 'again: nothing to do';
    is_deeply [$root->changed($secured)], [], 'nothing was done';
    enhanced($root, $name, $secured);
    undone($root, $start);
    return;
}

# Each enhancement on; the redirect can be taken back to the byte.
sub enhanced
{
    my ($root, $name, $secured) = @_;

    if (acmectl($root, 0, 'enhance', $name, 'redirect', 'on')->{changed}) {
        acmectl($root, 0, 'enhance', $name, 'redirect', 'off');
        is_deeply [$root->changed($secured)], [], 'a redirect on and off';
    }
    acmectl($root, 0, 'enhance', $name, $_, 'on') for qw(redirect hsts);
    as_reviewed($root, 'enhance', $secured);
    table($root);
    return;
}

# All checkpoints rolled back: bytes, modes, owners, links as they were, and
# nothing more.
sub undone
{
    my ($root, $start) = @_;
    my $list = acmectl($root, 0, 'checkpoints')->{checkpoints} // [];

    acmectl($root, 0, 'rollback', scalar @$list);
    is_deeply [$root->changed($start)], [], 'after rollback: as it was';
    table($root);
    return;
}

# --------------------------------------------------------------- the whole

# The CA looks for challenges at the ports of all trees.
sub ca
{
    $pebble //= ACME::Rig::Pebble->new($rig, http => $ports[0],
                                       https => $ports[1])->start;
    return $pebble;
}

# With httpd running: secure, fetched by https, redirected, enhanced, rolled
# back, fetched by http as before.
sub whole
{
    my ($root) = @_;
    my $ca = ca();
    my ($name) = @{$root->{secure}};
    my $start = $root->snapshot;

    $root->start;
    my $page = $root->get($name, '/')->{body};
    my $restarts = $root->restarts;
    acmectl($root, 0, 'secure', '--redirect', '--agree-tos', '--ca',
            $ca->directory, '--ca-certificate', $ca->ca_file, '--contact',
            'none', @{$root->{secure}});
    cmp_ok $root->restarts - $restarts, '<=', 2, 'few restarts';
    my $tls = $root->get_tls($name, '/', ca => $ca->roots_file);
    is $tls->{body}, $page, 'the same page by https'
        or diag $tls->{error} // '';
    is_deeply [sort @{$tls->{cert}{names} // []}],
        [sort @{$root->{secure}}], 'with a certificate for the names';
    my $http = $root->get($name, '/');
    is "$http->{status} $http->{headers}{location}",
        "308 https://$name/", 'http is redirected';
    acmectl($root, 0, 'enhance', $name, 'hsts', 'on');
    ok $root->get_tls($name, '/')->{headers}{'strict-transport-security'},
        'HSTS';
    acmectl($root, 0, 'rollback', 2);
    is_deeply [$root->changed($start)], [], 'after rollback: as it was';
    is $root->get($name, '/')->{body}, $page, 'http as before';
    $root->stop;
    return;
}

done_testing;
