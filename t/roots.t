#!/usr/bin/perl

# Configuration trees as distributions and people write them (t/roots): the
# real httpd accepts each; what DUMP_ACME says of its hosts is what
# `httpd -S` says; the names are those that a person read out of the files.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use ACME::Hosts;
use ACME::Rig;
use ACME::Root;

ACME::Rig::skip_unless_able(qw(openssl diff));
plan skip_all => 'needs acmectl, which is not built'
    if !-x ACME::Rig::acmectl_path();

my $rig = ACME::Rig->new;
my @ports = $rig->ports(4);
my $own = $rig->make_tls('own');
my @names = @ARGV ? @ARGV : ACME::Root::names();

cmp_ok scalar @names, '>=', 30, 'enough trees' if !@ARGV;
for my $name (@names) {
    subtest $name => sub { tree($name) };
}

sub tree
{
    my ($name) = @_;
    my $root = ACME::Root->new($rig, $name, ports => \@ports,
                               cert => $own->{cert}, key => $own->{key});

    note $root->{what};
    my $document = read_alike($root) or return;
    known($root, $document);
    return;
}

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

done_testing;
