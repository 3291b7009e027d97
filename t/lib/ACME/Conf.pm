package ACME::Conf;

# Configurations that httpd reads but does not run: a private directory,
# httpd.conf files in it and what `httpd -t` says of them. Works for any
# user; nothing below /etc is read.
#
#   my $conf = ACME::Conf->new;
#   my $r = $conf->check("ACMEAgreement accepted\n");      # httpd -t
#   my $r = $conf->dump("...");                            # -D DUMP_ACME
#
# HTTPD and APXS name other programs, ACME_MODULE another mod_acme.so,
# ACME_PRELOAD libraries for LD_PRELOAD in httpd (sanitizers' runtimes).

use strict;
use warnings;

use Cwd ();
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp ();
use JSON::PP ();
use POSIX ();

our $TOP = Cwd::abs_path(dirname(__FILE__) . '/../../..');
our @MODULES = qw(authz_core socache_shmcb ssl acme);

my %apxs;

sub apxs
{
    my ($name) = @_;

    if (!exists $apxs{$name}) {
        my ($apxs) = grep { defined && -x } $ENV{APXS},
            map { ("$_/apxs", "$_/apxs2") } split /:/,
            "$ENV{PATH}:/usr/bin:/usr/sbin:/usr/local/apache2/bin";
        die "apxs is missing: install httpd's development files\n" if !$apxs;
        open my $fh, '-|', $apxs, '-q', $name or die "cannot run $apxs: $!\n";
        chomp($apxs{$name} = <$fh> // '');
        close $fh or die "$apxs -q $name failed\n";
    }
    return $apxs{$name};
}

sub httpd { return $ENV{HTTPD} || apxs('SBINDIR') . '/' . apxs('PROGNAME') }

sub module_path
{
    return $ENV{ACME_MODULE} if $ENV{ACME_MODULE};
    my @dirs = $ENV{top_builddir} || ("$TOP/build", $TOP);
    my ($found) = grep { -e } map { "$_/.libs/mod_acme.so" } @dirs;
    return $found // die "mod_acme.so is missing: run make, or set "
        . "ACME_MODULE\n";
}

# Everybody may look into the directory: ordinary users test too.
sub new
{
    my ($class) = @_;
    my $dir = File::Temp::tempdir('acme-conf-XXXXXX', TMPDIR => 1,
                                  CLEANUP => 1);
    my $self = bless { dir => $dir, uses => 0 }, $class;

    chmod 0755, $dir or die "$dir: $!\n";
    make_path(map { "$dir/$_" } qw(conf run logs htdocs));
    return $self;
}

sub path { my ($self, @parts) = @_; return join '/', $self->{dir}, @parts }

sub write_file
{
    my ($self, $name, $text) = @_;
    my $path = $self->path($name);

    make_path(dirname($path));
    open my $fh, '>:raw', $path or die "$path: $!\n";
    print {$fh} $text or die "$path: $!\n";
    close $fh or die "$path: $!\n";
    return $path;
}

sub read_file
{
    my ($self, $name) = @_;

    open my $fh, '<:raw', $self->path($name) or return '';
    local $/ = undef;
    return scalar(<$fh>) // '';
}

sub is_linked
{
    my ($self, $name) = @_;

    $self->{linked} //= $self->run([httpd(), '-l'])->{out};
    return $self->{linked} =~ /^\s+mod_\Q$name\E\.c$/m;
}

# LoadModule lines in the given order, without what is linked in.
sub load_modules
{
    my ($self, @names) = @_;
    my $dir = apxs('LIBEXECDIR');
    my $text = '';

    for my $name ("mpm_event", @names) {
        next if $self->is_linked($name);
        my $file = $name eq 'acme' ? module_path() : "$dir/mod_$name.so";
        $text .= "LoadModule ${name}_module \"$file\"\n";
    }
    return $text;
}

# The lines in front of the test's own; they are part of the same file, on
# one line each, and "prologue_lines" says how many.
sub prologue
{
    my ($self, %opt) = @_;
    my $dir = $self->{dir};

    return "ServerRoot \"$dir\"\n"
        . $self->load_modules(@{$opt{modules} // \@MODULES})
        . "DefaultRuntimeDir \"$dir/run\"\nPidFile \"$dir/run/httpd.pid\"\n"
        . "ErrorLog \"$dir/logs/error.log\"\nDocumentRoot \"$dir/htdocs\"\n"
        . ($opt{bare} ? '' : "Listen 127.0.0.1:1\nServerName main.test\n");
}

# Run httpd on a configuration. Options: modules, bare (no Listen, no
# ServerName), args (more arguments), user, full (the text has everything),
# timeout.
# Returns { status, out, err, file, first (line of the text's first) }.
sub check
{
    my ($self, $text, %opt) = @_;
    my $prologue = $opt{full} ? '' : $self->prologue(%opt);
    my $file = $self->write_file('conf/httpd.conf', $prologue . $text);
    my $r = $self->run([httpd(), '-f', $file, '-t', @{$opt{args} // []}],
                       %opt);

    $r->{file} = $file;
    $r->{first} = 1 + ($prologue =~ tr/\n//);
    return $r;
}

# The same with -D DUMP_ACME: {json} is the document or undef.
sub dump
{
    my ($self, $text, %opt) = @_;
    my $r = $self->check($text, %opt,
                         args => ['-D', 'DUMP_ACME', @{$opt{args} // []}]);

    $r->{json} = eval { JSON::PP->new->utf8->decode($r->{out}) };
    return $r;
}

# Run a program to its end: { status (128+n for signal n), out, err, cpu
# (user+system seconds), seconds }.
sub run
{
    my ($self, $cmd, %opt) = @_;
    my ($out, $err) = map { $self->path(".run-$$." . ++$self->{uses}) } 1, 2;
    my @before = times;
    my $start = Time::HiRes::time();
    my $pid = fork() // die "cannot fork: $!\n";

    if ($pid == 0) {
        alarm($opt{timeout} // 120);
        open STDIN, '<', '/dev/null' or POSIX::_exit(126);
        open STDOUT, '>', $opt{stdout} // $out or POSIX::_exit(126);
        open STDERR, '>', $err or POSIX::_exit(126);
        _become($opt{user}) if $opt{user};
        _preload() if $ENV{ACME_PRELOAD} && $cmd->[0] eq httpd();
        { no warnings 'exec'; exec { $cmd->[0] } @$cmd; }
        POSIX::_exit(127);
    }
    waitpid $pid, 0;
    my %r = (status => $? & 127 ? 128 + ($? & 127) : $? >> 8,
             seconds => Time::HiRes::time() - $start);
    my @after = times;
    $r{cpu} = $after[2] + $after[3] - $before[2] - $before[3];
    $r{$_->[0]} = $self->read_file(substr $_->[1], 1 + length $self->{dir})
        for ['out', $out], ['err', $err];
    unlink $out, $err;
    return \%r;
}

sub _become
{
    my ($user) = @_;
    my ($uid, $gid) = (getpwnam $user)[2, 3];

    $) = "$gid $gid";
    $( = $gid;
    POSIX::setuid($uid) or POSIX::_exit(126);
    return;
}

# Leaks at exit are httpd's own way with its pools.
sub _preload
{
    $ENV{LD_PRELOAD} = $ENV{ACME_PRELOAD};
    $ENV{ASAN_OPTIONS} = 'detect_leaks=0:abort_on_error=1:handle_abort=0';
    $ENV{UBSAN_OPTIONS} = 'halt_on_error=1:abort_on_error=1';
    return;
}

use Time::HiRes ();

1;
