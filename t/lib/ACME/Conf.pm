package ACME::Conf;

# Configurations that httpd reads but does not run: a rig that any user can
# have, httpd.conf files in it and what `httpd -t` says of them.
#
#   my $conf = ACME::Conf->new;
#   my $r = $conf->check("ACMEAgreement accepted\n");      # httpd -t
#   my $r = $conf->dump("...");                            # -D DUMP_ACME
#
# HTTPD and APXS name other programs; ACME_MODULE and ACME_PRELOAD are as in
# ACME::Rig::Httpd.

use strict;
use warnings;

use parent 'ACME::Rig';

use JSON::PP ();
use ACME::Rig::Httpd ();

our @MODULES = qw(authz_core socache_shmcb ssl acme);

sub apxs { return ACME::Rig::Httpd::apxs(@_) }

sub httpd { return $ENV{HTTPD} || apxs('SBINDIR') . '/' . apxs('PROGNAME') }

sub new
{
    my ($class) = @_;
    my $self = $class->SUPER::new(any_user => 1);

    $self->make_dir($_, 0755) for qw(conf run logs htdocs);
    return $self;
}

# Run httpd. Options: as for ACME::Rig's run, and to (file for stdout).
sub run_httpd
{
    my ($self, $args, %opt) = @_;
    my $to = delete $opt{to};
    my @redirect = defined $to ? ('sh', '-c', 'exec "$@" >"$0"', $to) : ();
    my %env = $ENV{ACME_PRELOAD} ? (
        LD_PRELOAD => $ENV{ACME_PRELOAD},
        # Leaks at exit are httpd's own way with its pools.
        ASAN_OPTIONS => 'detect_leaks=0:abort_on_error=1:handle_abort=0',
        UBSAN_OPTIONS => 'halt_on_error=1:abort_on_error=1',
    ) : ();

    return $self->run([@redirect, httpd(), @$args], env => \%env, %opt);
}

# LoadModule lines in the given order, without what is linked in.
sub load_modules
{
    my ($self, @names) = @_;
    my $dir = apxs('LIBEXECDIR');
    my $text = '';

    $self->{linked} //= $self->run([httpd(), '-l'])->{out};
    for my $name ('mpm_event', @names) {
        next if $self->{linked} =~ /^\s+mod_\Q$name\E\.c$/m;
        my $file = $name eq 'acme' ? ACME::Rig::module_path()
                                   : "$dir/mod_$name.so";
        die "$file is missing\n" if !-e $file;
        $text .= "LoadModule ${name}_module \"$file\"\n";
    }
    return $text;
}

# The lines in front of the test's own. Options: modules (the list, in
# order).
sub prologue
{
    my ($self, %opt) = @_;
    my $dir = $self->dir;

    return "ServerRoot \"$dir\"\n"
        . $self->load_modules(@{$opt{modules} // \@MODULES}) . <<"END";
DefaultRuntimeDir "$dir/run"
PidFile "$dir/run/httpd.pid"
ErrorLog "$dir/logs/error_log"
DocumentRoot "$dir/htdocs"
Listen 127.0.0.1:1
ServerName main.test
END
}

# httpd -t of the prologue and $text. Options: modules, args (more
# arguments), and those of run. Adds to run's result: file, first (the line
# of the text's first).
sub check
{
    my ($self, $text, %opt) = @_;
    my ($modules, $args) = delete @opt{qw(modules args)};
    my $prologue = $self->prologue(modules => $modules);
    my $file = $self->write_file('conf/httpd.conf', $prologue . $text, 0644);
    my $r = $self->run_httpd(['-f', $file, '-t', @{$args // []}], %opt);

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

1;
