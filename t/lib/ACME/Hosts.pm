package ACME::Hosts;

# Who serves what, twice: as `httpd -S` prints it, and worked out from the
# document of DUMP_ACME without a look at httpd's table. Both give the same
# structure, so that is_deeply tells the first difference:
#
#   { "*:80" => [{ name, place, aliases => [...], wild => [...] }, ...] }
#
# an entry for each address, its hosts in httpd's order of search, the first
# being the default one. Where an address has a single host, httpd prints no
# aliases, and neither structure has any.

use strict;
use warnings;

# What `httpd -S` (-t -D DUMP_VHOSTS) prints.
sub of_httpd
{
    my ($text) = @_;
    my ($hosts, $default, %of);
    my $place = qr/(\S+) \((.+:\d+)\)/;

    $text =~ s/\A.*?^VirtualHost configuration:\n//ms or return {};
    for (split /\n/, $text) {
        if (/^(\S+)\s+is a NameVirtualHost$/) {
            $hosts = $of{$1} = [];
        }
        elsif (/^\s+default server $place$/) {
            $default = "$1 $2";
        }
        elsif (/^\s+port (?:\d+|\*) namevhost $place$/) {
            push @$hosts, { name => $1, place => $2, aliases => [],
                            wild => [] };
            die "$default is the default, but not the first\n"
                if @$hosts == 1 && $default ne "$1 $2";
        }
        elsif (/^\s+(wild )?alias (\S+)$/) {
            push @{$hosts->[-1]{$1 ? 'wild' : 'aliases'}}, $2;
        }
        elsif (/^(\S+:(?:\d+|\*))\s+$place$/) {
            $of{$1} = [{ name => $2, place => $3 }];
        }
        elsif (/^\S/) {
            last;                      # ServerRoot and what comes behind
        }
        else {
            die "httpd -S: a line of another kind: $_\n";
        }
    }
    return \%of;
}

# The same from the document's virtual hosts.
sub of_document
{
    my ($document) = @_;
    my %of;

    for my $host (@{$document->{virtual_hosts}}) {
        my %seen;
        for my $key (grep { !$seen{$_}++ } map { _key($_) }
                     @{$host->{addresses}}) {
            push @{$of{$key}}, {
                name => $host->{hostname} // $host->{server_name},
                place => defined $host->{file}
                    ? "$host->{file}:$host->{line}" : $host->{defined},
                aliases => [grep { !/[*?]/ } @{$host->{aliases}}],
                wild => [grep { /[*?]/ } @{$host->{aliases}}],
            };
        }
    }
    for my $hosts (grep { @$_ == 1 } values %of) {
        delete @{$hosts->[0]}{qw(aliases wild)};
    }
    return \%of;
}

sub _key
{
    my ($address) = @_;
    my $ip = $address->{address} =~ /^(?:0\.0\.0\.0|::)$/ ? '*'
        : $address->{address} =~ /:/ ? "[$address->{address}]"
        : $address->{address};

    return "$ip:" . ($address->{port} || '*');
}

# --------------------------------------------------------- names, by hand

# The names that are served on the http port and by no TLS host: exact ones
# that a CA could certify, lower case, sorted.
sub names
{
    my ($document) = @_;
    my $port = $document->{server}{port_map}{http};
    my (%names, %secure);

    for my $host (@{$document->{virtual_hosts}}) {
        my @names = map { lc } grep { defined }
            $host->{server_name} // $document->{server}{main}{server_name},
            @{$host->{aliases}};
        $secure{$_} = 1 for $host->{ssl} ? @names : ();
        $names{$_} = 1 for _on_port($host, $port) ? @names : ();
    }
    if (!grep { _on_port($_, $port) } @{$document->{virtual_hosts}}) {
        $names{lc $_} = 1 for grep { defined }
            $document->{server}{main}{server_name};
    }
    return [sort grep { !$secure{$_} && /\A[a-z0-9-]+(?:\.[a-z0-9-]+)+\z/ }
            keys %names];
}

# Where httpd finds a name on the http port: the place of the host on each
# address, each once, as one string; the default hosts do not count.
sub serving
{
    my ($document, $name) = @_;
    my $port = $document->{server}{port_map}{http};
    my (%found, @places);

    for my $host (grep { _on_port($_, $port) }
                  @{$document->{virtual_hosts}}) {
        next if !_has($host, $name);
        for my $key (grep { !$found{$_}++ } map { _key($_) }
                     _on_port($host, $port)) {
            push @places, "$host->{file}:$host->{line}";
        }
    }
    my %seen;
    return join ' ', grep { !$seen{$_}++ } @places;
}

# An address for every port is not counted: no tree has a host that answers
# only there.
sub _on_port
{
    my ($host, $port) = @_;

    return grep { $_->{port} == $port } @{$host->{addresses}};
}

sub _has
{
    my ($host, $name) = @_;

    return grep {
        my $pattern = quotemeta lc;
        $pattern =~ s/\\\*/.*/g;
        $pattern =~ s/\\\?/./g;
        $name =~ /\A$pattern\z/;
    } grep { defined } $host->{server_name}, @{$host->{aliases}};
}

1;
