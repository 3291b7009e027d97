package ACME::Schema;

# A small reading of the schemas of schemas/state in Perl, so that what
# acmectl and httpd print is not judged by the code that printed it: types,
# required and allowed members, values and limits.
#
#   my $schema = ACME::Schema->new('state/result');
#   is_deeply [$schema->faults($value)], [], 'valid';
#
# A member that the schema does not name is a fault here, so that no member
# is printed that nobody described; open => 1 allows it.

use strict;
use warnings;

use JSON::PP ();
use ACME::Rig ();

my $scalar = JSON::PP->new->allow_nonref;

sub new
{
    my ($class, $name, %opt) = @_;
    my $file = "$ACME::Rig::TOP/schemas/$name.json";
    my $text = ACME::Rig->read_file($file) // die "cannot read $file: $!\n";

    return bless { root => JSON::PP->new->utf8->decode($text), %opt }, $class;
}

# The faults found, as texts.
sub faults
{
    my ($self, $value) = @_;

    return $self->_faults($self->{root}, $value, '');
}

sub _faults
{
    my ($self, $schema, $value, $where) = @_;
    my $type = _type($value);
    my @faults;

    if (my $ref = $schema->{'$ref'}) {
        my ($name) = $ref =~ m{^#/definitions/(\w+)$} or return "$where: $ref";
        return $self->_faults($self->{root}{definitions}{$name}, $value,
                              $where);
    }
    if ($schema->{oneOf}) {
        my @good = grep { !$self->_faults($_, $value, $where) }
            @{$schema->{oneOf}};
        return @good == 1 ? () : "$where: fits " . @good . ' of oneOf';
    }
    if (my $types = $schema->{type}) {
        my %allowed = map { $_ => 1 } ref $types ? @$types : $types;
        $allowed{integer} = 1 if $allowed{number};
        return "$where: is $type" if !$allowed{$type};
    }
    push @faults, "$where: const" if exists $schema->{const}
        && $value ne $schema->{const};
    push @faults, "$where: enum" if $schema->{enum}
        && !grep { defined $_ && defined $value ? $_ eq $value
                       : !defined $_ && !defined $value } @{$schema->{enum}};
    return (@faults, _string($schema, $value, $where)) if $type eq 'string';
    return (@faults, _number($schema, $value, $where))
        if $type =~ /^(?:integer|number)$/;
    return (@faults, $self->_array($schema, $value, $where))
        if $type eq 'array';
    return (@faults, $self->_object($schema, $value, $where))
        if $type eq 'object';
    return @faults;
}

sub _type
{
    my ($value) = @_;

    return 'null' if !defined $value;
    return 'object' if ref $value eq 'HASH';
    return 'array' if ref $value eq 'ARRAY';
    return 'boolean' if ref $value;
    my $text = $scalar->encode($value);
    return $text =~ /^"/ ? 'string' : $text =~ /^-?\d+$/ ? 'integer'
                                                         : 'number';
}

sub _string
{
    my ($schema, $value, $where) = @_;
    my @faults;

    push @faults, "$where: pattern" if $schema->{pattern}
        && $value !~ /$schema->{pattern}/;
    push @faults, "$where: minLength"
        if length $value < ($schema->{minLength} // 0);
    return @faults;
}

sub _number
{
    my ($schema, $value, $where) = @_;

    return $value < ($schema->{minimum} // $value)
        || $value > ($schema->{maximum} // $value) ? "$where: limits" : ();
}

sub _array
{
    my ($self, $schema, $value, $where) = @_;
    my @faults;

    push @faults, "$where: minItems" if @$value < ($schema->{minItems} // 0);
    return @faults if !$schema->{items};
    return (@faults, map {
        $self->_faults($schema->{items}, $value->[$_], "$where\[$_]")
    } 0 .. $#$value);
}

sub _object
{
    my ($self, $schema, $value, $where) = @_;
    my @faults = map { "$where.$_: missing" }
        grep { !exists $value->{$_} } @{$schema->{required} // []};

    # An object of which nothing is said is described elsewhere.
    return @faults if !$schema->{properties}
        && !exists $schema->{additionalProperties};
    for my $name (sort keys %$value) {
        my $part = $schema->{properties}{$name}
            // $schema->{additionalProperties};
        push @faults, ref $part && !JSON::PP::is_bool($part)
            ? $self->_faults($part, $value->{$name}, "$where.$name")
            : $self->{open} ? () : "$where.$name: not allowed";
    }
    return @faults;
}

1;
