package ACME::Rig::Mounted;

# A small tmpfs that goes when the test does, and a way to fill it.
#
#   my $disk = ACME::Rig::Mounted->new($dir, 'size=512k') or skip ...;
#   $disk->fill;      # to the last byte
#   $disk->free;

use strict;
use warnings;

use ACME::Rig ();

# undef where nothing can be mounted.
sub new
{
    my ($class, $dir, $options) = @_;

    ACME::Rig->make_dir($dir) if !-d $dir;
    system('mount', '-t', 'tmpfs', '-o', $options, 'rig', $dir) == 0
        or return undef;
    return bless { dir => $dir, pid => $$ }, $class;
}

sub dir { return $_[0]{dir} }

# Take all the room there is, less so many bytes.
sub fill
{
    my ($self, $less) = @_;
    my $size = 1 << 19;

    open my $fh, '>', "$self->{dir}/ballast" or die "ballast: $!\n";
    for (; $size >= 1; $size >>= 1) {
        1 while defined syswrite $fh, 'x' x $size;
    }
    truncate $fh, (-s $fh) - $less if $less;
    close $fh;
    return;
}

sub free { return unlink "$_[0]{dir}/ballast" }

sub DESTROY
{
    my ($self) = @_;
    local ($?, $!);

    return if $$ != $self->{pid};
    system('umount', $self->{dir}) == 0
        or system('umount', '-l', $self->{dir});
    return;
}

1;
