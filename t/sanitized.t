#!/usr/bin/perl

# The module inside httpd, and acmectl, under AddressSanitizer and the
# undefined behaviour sanitizer: whole-system tests once more with the
# sanitized build, the runtimes preloaded into httpd. A report of either
# ends the process and fails the test it happened in.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use ACME::Rig;

# Those that drive most of the module and of the helper.
my @TESTS = grep { -e "$FindBin::Bin/$_" }
    qw(config.t dump.t http01.t serving.t demo.t issue.t renew.t revoke.t
       badinput.t status.t swap.t);

ACME::Rig::skip_unless_able();
my $build = $ENV{ACME_SANITIZED} // "$ACME::Rig::TOP/build/sanitized";
plan skip_all => "needs a build with sanitizers in $build (t/check makes it)"
    if !-e "$build/.libs/mod_acme.so";

my $rig = ACME::Rig->new;

# gcc knows where its runtimes are; a library it does not find comes back as
# the bare name.
my @runtimes = map { my $path = `gcc -print-file-name=$_`; chomp $path; $path }
    qw(libasan.so libubsan.so);
plan skip_all => "needs the sanitizers' runtimes of gcc"
    if grep { !m{^/} } @runtimes;

my %env = (
    ACME_PRELOAD => join(' ', @runtimes),
    ACME_MODULE => "$build/.libs/mod_acme.so",
    ACMECTL => "$build/acmectl",
    top_builddir => $build,
    ASAN_OPTIONS => 'detect_leaks=1:abort_on_error=0:exitcode=99',
    UBSAN_OPTIONS => 'print_stacktrace=1:halt_on_error=1:exitcode=99',
);

# The runtimes really are in httpd, or this would prove nothing.
{
    require ACME::Rig::Httpd;
    local %ENV = (%ENV, %env);
    my $httpd = ACME::Rig::Httpd->new($rig);
    $httpd->write_config('');
    $httpd->start;
    my $maps = $rig->read_file('/proc/' . $httpd->pid . '/maps');
    like $maps, qr/libasan\.so/, 'httpd runs with ASan';
    like $maps, qr/libubsan\.so/, 'httpd runs with UBSan';
    like $maps, qr{\Q@{[ACME::Rig::module_path()]}\E\n},
        'and with the sanitized module';
    $httpd->stop;
}

for my $test (@TESTS) {
    my $r = $rig->run([$^X, "$FindBin::Bin/$test"], env => \%env,
                      timeout => 400);
    my $count = () = $r->{out} =~ /^ok \d/mg;
    my @failed = $r->{out} =~ /^(not ok \d.*)$/mg;
    my ($skipped) = $r->{out} =~ /^1\.\.0 # SKIP (.*)$/m;

    if ($skipped) {
        pass "$test skips: $skipped";
        next;
    }
    ok $r->{status} == 0 && !@failed && $count,
        "$test: $count tests with sanitizers"
        or diag join "\n", "status $r->{status}", @failed, $r->{err};
}

done_testing;
