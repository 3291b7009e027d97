#!/usr/bin/perl

# The journal under disturbance, a sample of it: killed at calls, the
# recovery killed, errors, loss of power, an editor, a file system without
# the newer renames, and random sequences against a model. All of it, and
# the seeded bugs: t/journal/all.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use ACME::Rig;

plan skip_all => 'needs root: owners and namespaces' if $>;
plan skip_all => 'needs mount namespaces, which root may not make here'
    if !ACME::Rig::may_mount();
my $harness = ACME::Rig::builddir() . '/t/journal/harness';
plan skip_all => "needs $harness" if !-x $harness;
exec $harness, '--fast', qw(kill rekill errors power repower editor edkill
                            flags property)
    or die "cannot run $harness: $!\n";
