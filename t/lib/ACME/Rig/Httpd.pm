package ACME::Rig::Httpd;

# A private httpd: its own ServerRoot, run directory, logs, ports and
# modules; nothing below /etc is read. Starts as root and drops to www-data.
#
#   my $httpd = ACME::Rig::Httpd->new($rig, mpm => 'worker');
#   $httpd->write_config(<<"END");
#       ...                                  # behind a complete prologue
#   END
#   $httpd->start;
#
# ACME_MODULE names another mod_acme.so, ACME_PRELOAD libraries for
# LD_PRELOAD (the sanitizers' runtimes) in every httpd of the rig.

use strict;
use warnings;

use JSON::PP ();
use ACME::Rig ();

our @MODULES = qw(authz_core authz_host alias dir mime log_config headers
                  rewrite setenvif socache_shmcb ssl);

# Options: name (of the directory, "httpd"), mpm (event, worker, prefork),
# modules (the list), more (further modules), without_acme, http_only (it
# does not listen on the https port), ports
# ([http, https]), user, daemon (1), env, manager (1: httpd keeps acmectl
# serve running, which no test expects that does not ask).
sub new
{
    my ($class, $rig, %opt) = @_;
    my ($http, $https) = @{$opt{ports} // [$rig->ports(2)]};
    my $name = $opt{name} // 'httpd';
    my $self = bless {
        rig => $rig, name => $name, root => $rig->path($name),
        mpm => $opt{mpm} // $ENV{ACME_MPM} // 'event',
        modules => [@{$opt{modules} // \@MODULES}, @{$opt{more} // []}],
        manager => $opt{manager},
        without_acme => $opt{without_acme}, http_only => $opt{http_only},
        user => $opt{user} // 'www-data',
        http => $http, https => $https, env => $opt{env} // {},
        log_level => $opt{log_level}
            // ($opt{without_acme} ? 'info' : 'info acme:debug'),
    }, $class;

    $rig->make_dir($self->{root}, 0755);
    $rig->make_dir("$self->{root}/$_", 0755) for qw(conf htdocs);
    $rig->make_dir("$self->{root}/$_", 0700) for qw(logs);
    $rig->make_dir("$self->{root}/run", 0755);
    $self->{binary} = $ENV{HTTPD} || apxs('SBINDIR') . '/' . apxs('PROGNAME');
    $self->{env} = { ACMECTL => ACME::Rig::acmectl_path(),
        %{$self->_environment}, %{$self->{env}} };
    return $rig->adopt($self);
}

sub http { return $_[0]{http} }
sub https { return $_[0]{https} }
sub root { return $_[0]{root} }
sub binary { return $_[0]{binary} }

# The environment for its programs, and for an acmectl run by hand.
sub env { return $_[0]{env} }

sub config { return "$_[0]{root}/conf/httpd.conf" }
sub store { return "$_[0]{root}/acme" }
sub htdocs { my ($self, @p) = @_; return join '/', "$self->{root}/htdocs", @p }

# ----------------------------------------------------------------- places

my %apxs;

sub apxs
{
    my ($name) = @_;

    if (!exists $apxs{$name}) {
        my $apxs = $ENV{APXS} || ACME::Rig::program('apxs')
            || ACME::Rig::program('apxs2') || 'apxs';
        open my $fh, '-|', $apxs, '-q', $name or die "cannot run $apxs: $!\n";
        chomp($apxs{$name} = <$fh> // '');
        close $fh;
    }
    return $apxs{$name};
}

# The environment of this httpd and of the acmectl that works for it. The
# sanitizers' reports go to files which www-data and nobody can write, too.
# Leaks at exit are httpd's own way with its pools: an options file named
# after the program lets it alone, while acmectl is held to account.
sub _environment
{
    my ($self) = @_;
    my $dir = "$self->{root}/reports";
    my ($program) = $self->{binary} =~ m{([^/]+)$};
    my $options = "print_stacktrace=1:exitcode=99:log_path=$dir/san";

    return {} if !$ENV{ACME_PRELOAD};
    $self->{rig}->make_dir($dir, 0777);
    $self->{rig}->write_file("$self->{root}/asan.$program",
                             "detect_leaks=0\n", 0644);
    return { LD_PRELOAD => $ENV{ACME_PRELOAD},
        ASAN_OPTIONS => "detect_leaks=1:$options:"
            . "include_if_exists=$self->{root}/asan.%b",
        UBSAN_OPTIONS => "halt_on_error=1:$options" };
}

# ---------------------------------------------------------- configuration

# LoadModule lines for what is not linked into this httpd.
sub load_modules
{
    my ($self, @names) = @_;
    my %linked = map { $_ => 1 } $self->_linked;
    my $dir = apxs('LIBEXECDIR');
    my $text = '';

    for my $name ("mpm_$self->{mpm}", @names) {
        next if $linked{"mod_$name.c"};
        die "mod_$name.so is not in $dir\n" if !-e "$dir/mod_$name.so";
        $text .= "LoadModule ${name}_module \"$dir/mod_$name.so\"\n";
    }
    return $text;
}

sub _linked
{
    my ($self) = @_;

    $self->{linked} //= [$self->{rig}->run([$self->{binary}, '-l'])->{out}
        =~ /^\s+(\S+\.c)$/mg];
    return @{$self->{linked}};
}

# What every private httpd needs before the test's own lines.
sub prologue
{
    my ($self) = @_;
    my $root = $self->{root};
    my $mime = (grep { $_ eq 'mime' } @{$self->{modules}})
        ? "TypesConfig /dev/null\nAddType text/html .html\n" : '';
    my $acme = $self->{without_acme} ? ''
        : 'LoadModule acme_module "' . ACME::Rig::module_path() . "\"\n"
        . "ACMEStoreDir \"$root/acme\"\n"
        . "ACMEPortMap http:$self->{http} https:$self->{https}\n"
        . ($self->{manager} ? '' : "ACMEManager off\n");

    my $listen = join '', map { "Listen 127.0.0.1:$_\n" } $self->_ports;

    return "ServerRoot \"$root\"\n"
        . $self->load_modules(@{$self->{modules}}) . $mime . $acme . <<"END";
LogLevel $self->{log_level}
DefaultRuntimeDir "$root/run"
PidFile "$root/run/httpd.pid"
Mutex file:$root/run default
ErrorLog "$root/logs/error_log"
User $self->{user}
Group $self->{user}
ServerName localhost
DocumentRoot "$root/htdocs"
${listen}EnableSendfile off
GracefulShutdownTimeout 5
END
}

# The ports that it listens on.
sub _ports
{
    my ($self) = @_;

    return $self->{http_only} ? $self->{http} : @$self{qw(http https)};
}

# Write httpd.conf: the prologue and $text. Returns its path.
sub write_config
{
    my ($self, $text) = @_;

    $self->{text} = $text;
    return $self->{rig}->write_file($self->config, $self->prologue . $text);
}

# The number of lines before the test's own text, for messages with a line.
sub prologue_lines
{
    my ($self) = @_;
    my $count = () = $self->prologue =~ /\n/g;

    return $count;
}

# A file below htdocs, readable by www-data.
sub write_page
{
    my ($self, $name, $text) = @_;

    return $self->{rig}->write_file($self->htdocs($name), $text, 0644);
}

# ---------------------------------------------------------------- running

sub command
{
    my ($self, @args) = @_;

    return [$self->{binary}, '-d', $self->{root}, '-f', $self->config, @args];
}

# `httpd -t`: { status, out, err }.
sub configtest
{
    my ($self, @args) = @_;

    return $self->{rig}->run($self->command('-t', @args),
                             env => $self->{env});
}

# `httpd -t -D DUMP_ACME`, decoded; dies with httpd's words if it fails.
sub dump
{
    my ($self, @args) = @_;
    my $result = $self->configtest('-D', 'DUMP_ACME', @args);

    die "httpd -t -D DUMP_ACME: status $result->{status}: $result->{err}\n"
        if $result->{status};
    return JSON::PP->new->utf8->decode($result->{out});
}

# Start and wait until both ports answer; dies with the log if they do not.
sub start
{
    my ($self, @args) = @_;
    my $before = $self->restarts;
    my $result = $self->{rig}->run($self->command(@args, '-k', 'start'),
                                   env => $self->{env}, timeout => 120);

    if ($result->{status} == 0) {
        my $ok = eval {
            ACME::Rig::wait_for(20, 'the process id of httpd',
                                sub { $self->pid });
            for my $port ($self->_ports) {
                ACME::Rig::wait_port($port, 'httpd',
                                     sub { $self->is_running }, 60);
            }
            # It listens before it has finished to start.
            ACME::Rig::wait_for(60, 'httpd to have started', sub {
                $self->restarts > $before || !$self->is_running });
            1;
        };
        return $self->pid if $ok;
        $result->{err} .= $@;
    }
    die "httpd did not start (status $result->{status}): $result->{err}"
        . $self->error_log_tail . "\n";
}

# The parent's process id while it runs, else undef.
sub pid
{
    my ($self) = @_;
    my $text = ACME::Rig->read_file("$self->{root}/run/httpd.pid")
        // return undef;
    my ($pid) = $text =~ /^(\d+)/ or return undef;

    return $self->_is_ours($pid) ? $pid : undef;
}

# A stale pid file may name somebody else's process by now.
sub _is_ours
{
    my ($self, $pid) = @_;
    my $line = ACME::Rig->read_file("/proc/$pid/cmdline") // return 0;

    return index($line, $self->config) >= 0;
}

sub is_running { return defined $_[0]->pid }

# Graceful restart; returns when the new configuration serves and the old
# children have gone, or are busy for longer than three seconds.
sub graceful
{
    my ($self) = @_;
    my $pid = $self->pid // die "httpd does not run\n";
    my $before = $self->_resumed;
    my $manager = $self->manager // 0;
    my @old = grep { $_ != $manager } _children($pid);

    kill 'USR1', $pid;
    ACME::Rig::wait_for(60, 'the graceful restart',
        sub { $self->_resumed > $before || !$self->is_running });
    die "httpd did not survive the restart: " . $self->error_log_tail . "\n"
        if !$self->is_running;
    eval {
        ACME::Rig::wait_for(3, 'the old children',
            sub { !grep { ACME::Rig::exists_pid($_) } @old });
    };
    return;
}

# How often httpd has taken up a configuration since the log began. The
# new generation serves a little before the log says so: a restart under way
# is waited for.
sub restarts
{
    my ($self) = @_;

    eval {
        ACME::Rig::wait_for(10, 'the log of the restart', sub {
            $self->error_log !~ /SIGUSR1 received(?!.*resuming normal)/s;
        });
    };
    return $self->_resumed;
}

sub _resumed
{
    my ($self) = @_;
    my $count = () = $self->error_log =~ /resuming normal operations/g;

    return $count;
}

sub stop
{
    my ($self) = @_;
    my $pid = $self->pid;

    $self->_end($pid) if $pid;
    $self->{rig}->fault($self->faults);
    return;
}

sub _end
{
    my ($self, $pid) = @_;

    kill 'TERM', $pid;
    my $gone = sub { !ACME::Rig::exists_pid($pid) };
    return if eval { ACME::Rig::wait_for(20, 'the end of httpd', $gone) };
    my @children = _children($pid);
    kill 'KILL', $pid, @children;
    eval { ACME::Rig::wait_for(5, 'the end of httpd', $gone) };
    return;
}

# Process ids of the children of the parent.
sub children { my $pid = $_[0]->pid; return $pid ? _children($pid) : () }

# The process id of the manager, if httpd runs one.
sub manager
{
    my ($self) = @_;
    my ($found) = grep {
        (ACME::Rig->read_file("/proc/$_/cmdline") // '')
            =~ /\0serve\0--parent\0/
    } $self->children;

    return $found;
}

# Write httpd.conf again with another value of the option manager.
sub set_manager { my ($self, $on) = @_; $self->{manager} = $on; return }

sub _children
{
    my ($parent) = @_;
    my @found;

    for my $file (glob '/proc/[0-9]*/stat') {
        my $text = ACME::Rig->read_file($file) // next;
        push @found, $1 if $text =~ /^(\d+) \(.*\) \S (\d+)/s && $2 == $parent;
    }
    return @found;
}

# ------------------------------------------------------------------- logs

sub error_log
{
    my ($self) = @_;

    return ACME::Rig->read_file("$self->{root}/logs/error_log") // '';
}

sub error_log_tail
{
    my ($self, $lines) = @_;
    my @all = split /\n/, $self->error_log;
    my $from = @all > ($lines // 20) ? @all - ($lines // 20) : 0;

    return join "\n", '', @all[$from .. $#all];
}

# What the sanitizers' runtimes wrote ('' when nothing), and crashes of
# children, which httpd survives without a word to the client. A test that
# does not ask fails at its end if there is something.
sub faults
{
    my ($self) = @_;
    my @crashes = $self->error_log
        =~ /^(.*exit signal (?:Segm|Abort|Bus|Illegal|Floating).*)$/mg;

    return join '', (map { ACME::Rig->read_file($_) // '' }
        glob "$self->{root}/reports/*"), map { "$_\n" } @crashes;
}

# ---------------------------------------------------------------- clients

sub get
{
    my ($self, $host, $path, %opt) = @_;

    return ACME::Rig::fetch($self->{http}, $host, path => $path, %opt);
}

sub get_tls
{
    my ($self, $host, $path, %opt) = @_;

    return ACME::Rig::fetch($self->{https}, $host, tls => 1, path => $path,
                            %opt);
}

# acmectl with this httpd's binary, root and configuration filled in.
sub acmectl
{
    my ($self, $args, %opt) = @_;

    return $self->{rig}->acmectl(['--httpd', $self->{binary},
        '-d', $self->{root}, '-f', $self->config, @$args], %opt,
        env => { %{$self->{env}}, %{$opt{env} // {}} });
}

1;
