package ACME::Rig;

# The rig of the whole-system tests: a private directory, loopback ports,
# processes that end with the test, and clients that look at the result.
# Needs Perl's core modules and IO::Socket::SSL (Net::SSLeay), no others.
#
#   my $rig = ACME::Rig->new;                  # skips all without root
#   my ($http, $https) = $rig->ports(2);
#
# Everything that the rig starts is stopped by its process id when the rig
# goes, the test ends, dies or is interrupted. KEEP=1 in the environment
# keeps the directory (never a process).

use strict;
use warnings;

use Cwd ();
use Errno qw(EAGAIN EINTR);
use File::Basename qw(basename dirname);
use File::Copy ();
use File::Path qw(make_path remove_tree);
use File::Spec;
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use IO::Socket::SSL;
use JSON::PP ();
use POSIX ();
use Scalar::Util qw(weaken);
use Time::HiRes qw(time sleep);

our $TOP = Cwd::abs_path(dirname(__FILE__) . '/../../..');
my @live;                       # rigs to close at the end
my @faults;                     # what no test may leave unseen
my $owner = $$;

$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);

END {
    my $status = $?;

    if ($$ == $owner) {
        $_->finish for grep { defined } reverse @live;
        print STDERR "# $_\n" for map { split /\n/ } @faults;
        $status ||= 1 if @faults;
    }
    $? = $status;
}

# ---------------------------------------------------------------- places

# The top of the build tree: what was built last, in the place the caller
# named, in ./build or in the source tree itself.
sub builddir
{
    return $ENV{top_builddir} if $ENV{top_builddir};
    for my $dir ("$TOP/build", $TOP) {
        return $dir if -x "$dir/acmectl" || -e "$dir/.libs/mod_acme.so";
    }
    return "$TOP/build";
}

sub module_path
{
    my $dir = builddir();
    my ($found) = grep { -e } "$dir/.libs/mod_acme.so",
        "$dir/mod_acme/.libs/mod_acme.so";

    return for_everybody($ENV{ACME_MODULE} || $found
                         || "$dir/.libs/mod_acme.so");
}

sub acmectl_path
{
    return for_everybody($ENV{ACMECTL} || builddir() . '/acmectl');
}

# Other users run these programs, too. Where they cannot get there (a clone
# in /root), they get a copy.
my ($copies, %copy_of);

sub for_everybody
{
    my ($path) = @_;

    return $path if $> != 0 || !-e $path || _is_open($path);
    $copies //= File::Temp->newdir('acme-rig-bin-XXXXXX', TMPDIR => 1);
    chmod 0755, "$copies";
    return $copy_of{$path} //= do {
        my $copy = "$copies/" . keys(%copy_of) . '/' . basename($path);
        make_path(dirname($copy));
        File::Copy::copy($path, $copy) or die "cannot copy $path: $!\n";
        chmod 0755, $copy;
        $copy;
    };
}

# Whether everybody may read a file and pass all directories above it.
sub _is_open
{
    my ($path) = @_;
    my $dir = dirname(Cwd::abs_path($path));

    return 0 if !((stat $path)[2] & 0004);
    while (1) {
        return 0 if !((stat $dir)[2] & 0001);
        return 1 if $dir eq '/';
        $dir = dirname($dir);
    }
}

# Where support/prepare keeps what it fetched.
sub cache_dir
{
    return $ENV{ACME_CACHE} if $ENV{ACME_CACHE};
    my $home = $> == 0 ? '/var/cache' : ($ENV{HOME} // '/tmp') . '/.cache';
    return ($ENV{XDG_CACHE_HOME} || $home) . '/mod_acme';
}

# Find a program: by an environment variable, in the cache, in PATH.
sub program
{
    my ($name, $variable) = @_;

    return $ENV{$variable} if $variable && $ENV{$variable};
    for my $dir (cache_dir() . '/pebble/usr/bin', split(/:/, $ENV{PATH}),
                 '/usr/sbin', '/sbin') {
        return "$dir/$name" if -x "$dir/$name" && !-d _;
    }
    return undef;
}

# 1 if root may make a mount namespace: not in most containers, nor in a
# chroot.
sub may_mount { return system('unshare --mount true 2>/dev/null') == 0 }

# A whole-system test needs root, since httpd has to drop to www-data. Says
# why nothing runs instead of failing. `need => [...]` names programs.
sub skip_unless_able
{
    my (@need) = @_;
    my $why;

    $why = 'needs root: httpd starts as root and drops to www-data' if $> != 0;
    for my $name (@need) {
        $why //= "needs $name, which is not installed" if !program($name);
    }
    return if !$why;
    print "1..0 # SKIP $why\n";
    exit 0;
}

# ------------------------------------------------------------------- rig

sub new
{
    my ($class, %opt) = @_;
    my $self;

    skip_unless_able() if $> != 0 && !$opt{any_user};
    # The base can be passed through by www-data, so that it reaches
    # document roots; everything else in it is as private as it is made.
    $self = bless {
        dir => $opt{dir} // File::Temp::tempdir('acme-rig-XXXXXX',
                                                TMPDIR => 1),
        keep => $opt{keep} // $ENV{KEEP}, session => $opt{session},
        pids => {}, parts => [], owner => $$,
    }, $class;
    make_path($self->{dir});
    chmod 0755, $self->{dir};
    push @live, $self;
    weaken($live[-1]);
    return $self;
}

sub dir { return $_[0]{dir} }

# A path below the rig's directory.
sub path { my ($self, @parts) = @_; return join '/', $self->{dir}, @parts }

# Something with a stop method that has to end before the rig does. The rig
# holds it, so that it is still there when a dying test is taken apart; it
# refers to the rig weakly.
sub adopt
{
    my ($self, $part) = @_;

    push @{$self->{parts}}, $part;
    weaken($part->{rig});
    return $part;
}

# A crash or a sanitizer's report: the test fails even if it does not look.
sub fault { my ($self, $text) = @_; push @faults, $text if $text ne ''; return }

# Leave the processes and the directory alone (support/demo --keep).
# Returns the process ids of what goes on running, httpds not included.
sub disown
{
    my ($self) = @_;

    $self->{disowned} = 1;
    return sort { $a <=> $b } keys %{$self->{pids}};
}

sub finish
{
    my ($self) = @_;

    return if $self->{closed}++ || $self->{disowned} || $$ != $self->{owner};
    for my $part (reverse @{$self->{parts}}) {
        eval { $part->stop; 1 } or warn "rig: $@";
    }
    $self->kill_pid($_) for sort keys %{$self->{pids}};
    if ($self->{keep}) {
        print STDERR "# kept: $self->{dir}\n";
    }
    else {
        remove_tree($self->{dir}, { safe => 0 });
    }
    return;
}

sub DESTROY
{
    my ($self) = @_;
    local ($?, $@);

    $self->finish;
    return;
}

# ----------------------------------------------------------------- files

# Make or replace a file below the rig's directory (or at an absolute
# path), with its parents. Returns the path.
sub write_file
{
    my ($self, $name, $text, $mode) = @_;
    my $path = File::Spec->file_name_is_absolute($name) ? $name
                                                        : $self->path($name);

    $self->make_dir(dirname($path));
    open my $fh, '>', $path or die "cannot write $path: $!\n";
    print {$fh} $text;
    close $fh or die "cannot write $path: $!\n";
    chmod $mode, $path if defined $mode;
    return $path;
}

sub make_dir
{
    my ($self, $name, $mode) = @_;
    my $path = File::Spec->file_name_is_absolute($name) ? $name
                                                        : $self->path($name);

    make_path($path);
    chmod $mode, $path if defined $mode;
    return $path;
}

sub read_file
{
    my ($self, $name) = @_;
    my $path = !ref $self || File::Spec->file_name_is_absolute($name)
        ? $name : $self->path($name);

    open my $fh, '<', $path or return undef;
    local $/;
    return scalar <$fh>;
}

# ----------------------------------------------------------------- ports

# Loopback ports that nobody else gets. They lie below the range from which
# the kernel picks ports for outgoing connections, in blocks of 32; a block
# belongs to whoever listens on its first port, so that tests that run at
# the same time never meet.
my $FIRST = 12_032;
my $BLOCK = 32;
my $BLOCKS = 600;

sub port { my ($self) = @_; return ($self->ports(1))[0] }

sub ports
{
    my ($self, $count) = @_;
    my @ports;

    while (@ports < $count) {
        $self->_new_block if !$self->{block} || $self->{next} >= $BLOCK;
        my $port = $self->{block} + $self->{next}++;
        push @ports, $port if _is_free($port);
    }
    return @ports;
}

sub _new_block
{
    my ($self) = @_;
    my $start = int(rand($BLOCKS));

    for my $i (0 .. $BLOCKS - 1) {
        my $port = $FIRST + $BLOCK * (($start + $i) % $BLOCKS);
        my $lock = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                         LocalPort => $port, Listen => 1)
            or next;
        push @{$self->{locks}}, $lock;
        @$self{qw(block next)} = ($port, 1);
        return;
    }
    die "no free block of loopback ports\n";
}

sub _is_free
{
    my ($port) = @_;

    for my $proto ('tcp', 'udp') {
        my @listen = $proto eq 'tcp' ? (Listen => 1, ReuseAddr => 1) : ();
        my $probe = IO::Socket::INET->new(LocalAddr => '0.0.0.0',
            LocalPort => $port, Proto => $proto, @listen) or return 0;
        close $probe;
    }
    return 1;
}

# ------------------------------------------------------------- processes

# Start a program in the background. Options: env (hash, undef removes a
# variable), log (file for both outputs), dir, session (1: its own, so that
# it outlives the terminal). Returns its process id.
sub spawn
{
    my ($self, $cmd, %opt) = @_;
    my $log = $opt{log} // '/dev/null';
    my $pid = fork() // die "cannot fork: $!\n";

    if ($pid == 0) {
        _redirect('<', '/dev/null', '>>', $log, $log);
        _child_env($opt{env});
        chdir $opt{dir} if $opt{dir};
        POSIX::setsid() if $opt{session} // $self->{session};
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
        { no warnings 'exec'; exec { $cmd->[0] } @$cmd; }
        print STDERR "cannot run $cmd->[0]: $!\n";
        POSIX::_exit(127);
    }
    $self->{pids}{$pid} = $cmd->[0];
    return $pid;
}

sub _redirect
{
    my ($in_mode, $in, $out_mode, $out, $err) = @_;

    open STDIN, $in_mode, $in or POSIX::_exit(126);
    open STDOUT, $out_mode, $out or POSIX::_exit(126);
    if ($out eq $err) {
        open STDERR, '>&', \*STDOUT or POSIX::_exit(126);
    }
    else {
        open STDERR, $out_mode, $err or POSIX::_exit(126);
    }
    return;
}

sub _child_env
{
    my ($env) = @_;

    for my $name (keys %{$env // {}}) {
        if (defined $env->{$name}) {
            $ENV{$name} = $env->{$name};
        }
        else {
            delete $ENV{$name};
        }
    }
    return;
}

# A Perl subroutine as a process of its own.
sub spawn_sub
{
    my ($self, $sub) = @_;
    my $pid = fork() // die "cannot fork: $!\n";

    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        @live = ();
        eval { $sub->(); 1 } or print STDERR "rig: $@";
        POSIX::_exit($@ ? 1 : 0);
    }
    $self->{pids}{$pid} = 'perl';
    return $pid;
}

# Run a program to its end. Options: env, dir, input, timeout (60 s), user,
# show (1: its outputs are ours instead of being kept).
# Returns { status (exit code; 128+n for signal n), out, err, seconds,
# cpu (user+system seconds of it and its children), timeout }.
sub run
{
    my ($self, $cmd, %opt) = @_;
    my ($out, $err) = map { $self->path(".run-$$-$_") } qw(out err);
    my $input = $self->write_file(".run-$$-in", $opt{input} // '');
    my @before = times;
    my $start = time;
    my $pid;

    unlink $out, $err;
    $pid = fork() // die "cannot fork: $!\n";
    if ($pid == 0) {
        if ($opt{show}) {
            open STDIN, '<', $input or POSIX::_exit(126);
        }
        else {
            _redirect('<', $input, '>', $out, $err);
        }
        _child_env($opt{env});
        chdir $opt{dir} if $opt{dir};
        _become($opt{user}) if $opt{user};
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
        { no warnings 'exec'; exec { $cmd->[0] } @$cmd; }
        print STDERR "cannot run $cmd->[0]: $!\n";
        POSIX::_exit(127);
    }
    my $result = $self->_finish($pid, $start + ($opt{timeout} // 60));
    my @after = times;
    $result->{seconds} = time - $start;
    $result->{cpu} = $after[2] + $after[3] - $before[2] - $before[3];
    $result->{out} = $self->read_file($out) // '';
    $result->{err} = $self->read_file($err) // '';
    unlink $out, $err, $input;
    return $result;
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

# Wait for pid. Its end interrupts the sleep, so that the time is right to
# the millisecond; the limit on the sleep covers the race.
sub _finish
{
    my ($self, $pid, $deadline) = @_;
    my $pause = 0.001;
    my $timeout = 0;
    local $SIG{CHLD} = sub { };

    $self->{pids}{$pid} = 'run';
    while (1) {
        my $got = waitpid($pid, POSIX::WNOHANG());
        last if $got == $pid || ($got < 0 && $! != EINTR);
        if (time > $deadline) {
            $timeout = 1;
            kill 'KILL', $pid;
            waitpid($pid, 0);
            last;
        }
        sleep $pause;
        $pause = $pause * 1.2 if $pause < 0.02;
    }
    my $status = $?;
    delete $self->{pids}{$pid};
    return { timeout => $timeout,
             status => $status & 127 ? 128 + ($status & 127) : $status >> 8 };
}

# End a process of ours: politely, then not.
sub kill_pid
{
    my ($self, $pid, $signal) = @_;

    return if !$pid;
    delete $self->{pids}{$pid};
    kill $signal // 'TERM', $pid or return;
    my $gone = sub {
        my $got = waitpid($pid, POSIX::WNOHANG());
        return $got == $pid || ($got < 0 && !exists_pid($pid));
    };
    return if eval { wait_for(10, 'end of a process', $gone) };
    kill 'KILL', $pid;
    eval { wait_for(5, 'end of a killed process', $gone) };
    return;
}

# Whether there is such a process. One that has ended and that nobody has
# waited for does not count. (Of our own children waitpid knows more: the
# first thread of a program may be gone before its sockets are.)
sub exists_pid
{
    my ($pid) = @_;
    my $stat = ACME::Rig->read_file("/proc/$pid/stat") // return 0;

    return $stat !~ /^\d+ \(.*\) [ZX]/s;
}

# Whether a process that the rig started is still there.
sub alive
{
    my ($self, $pid) = @_;

    return 0 if !$pid;
    my $got = waitpid($pid, POSIX::WNOHANG());
    return $got == 0 || ($got < 0 && exists_pid($pid));
}

# ----------------------------------------------------------------- waits

# Poll until a condition is true; dies with a sentence after the deadline.
sub wait_for
{
    my ($seconds, $what, $condition) = @_;
    my $deadline = time + $seconds;
    my $pause = 0.002;

    while (1) {
        my $result = $condition->();
        return $result if $result;
        die "waited $seconds s for $what\n" if time > $deadline;
        sleep $pause;
        $pause *= 1.3 if $pause < 0.1;
    }
}

# Wait until something listens on a loopback port. $alive says whether it
# is still worth waiting.
sub wait_port
{
    my ($port, $what, $alive, $seconds) = @_;

    return wait_for($seconds // 20, "$what on port $port", sub {
        my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                         PeerPort => $port);
        return 1 if $sock;
        die "$what ended before it listened\n" if $alive && !$alive->();
        return 0;
    });
}

# --------------------------------------------------------------- clients

# Fetch http://HOST:PORT/PATH or https from loopback, whatever the name
# resolves to. Options: tls, ca (file: verify the chain and the name), path,
# method, headers (array), body, version ("1.1"), timeout.
# Returns { status, reason, headers (lower-case names), body, cert, error,
# verify }; error is set and status 0 when there is no answer.
sub fetch
{
    my ($port, $host, %opt) = @_;
    my $sock = $opt{tls} ? _tls($port, $host, \%opt)
                         : IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                                 PeerPort => $port,
                                                 Timeout => 10);
    return { status => 0, error => $opt{tls} ? $SSL_ERROR // "$!" : "$!" }
        if !$sock;

    my $answer = _http($sock, $host, { %opt, port => $port });
    $answer->{cert} = certificate($sock) if $opt{tls};
    $sock->close($opt{tls} ? (SSL_no_shutdown => 1) : ());
    return $answer;
}

sub _tls
{
    my ($port, $host, $opt) = @_;
    my @verify = $opt->{ca}
        ? (SSL_verify_mode => SSL_VERIFY_PEER, SSL_ca_file => $opt->{ca},
           SSL_verifycn_scheme => 'http', SSL_verifycn_name => $host)
        : (SSL_verify_mode => SSL_VERIFY_NONE);

    return IO::Socket::SSL->new(PeerAddr => '127.0.0.1', PeerPort => $port,
                                SSL_hostname => $host, Timeout => 10,
                                @verify, %{$opt->{ssl} // {}});
}

sub _http
{
    my ($sock, $host, $opt) = @_;
    my $method = $opt->{method} // 'GET';
    my $body = $opt->{body} // '';
    my $request = sprintf "%s %s HTTP/%s\r\n", $method, $opt->{path} // '/',
        $opt->{version} // '1.1';
    my @headers = @{$opt->{headers} // []};

    push @headers, Host => "$host:$opt->{port}" if !$opt->{no_host};
    push @headers, 'User-Agent' => 'rig';
    push @headers, Connection => 'close' if ($opt->{version} // '1.1') ne '1.0';
    push @headers, 'Content-Length' => length $body if length $body;
    while (my ($name, $value) = splice @headers, 0, 2) {
        $request .= "$name: $value\r\n";
    }
    local $SIG{PIPE} = 'IGNORE';
    print {$sock} "$request\r\n$body";
    return parse_answer(_slurp($sock, $opt->{timeout} // 30), $method);
}

# Everything until the peer closes, or what came within the time. Not
# blocking: what makes a TLS socket readable may be a session ticket.
sub _slurp
{
    my ($sock, $seconds) = @_;
    my $deadline = time + $seconds;
    my $data = '';
    my $select = IO::Select->new($sock);

    $sock->blocking(0);

    while (time < $deadline) {
        my $pending = ref $sock eq 'IO::Socket::SSL' && $sock->pending;
        next if !$pending && !$select->can_read($deadline - time);
        my $n = sysread $sock, $data, 65_536, length $data;
        next if !defined $n && ($! == EAGAIN || $! == EINTR);
        last if !$n;
    }
    return $data;
}

# An HTTP/1 answer in parts; a chunked body is put together.
sub parse_answer
{
    my ($data, $method) = @_;
    my ($head, $body) = split /\r\n\r\n/, $data, 2;
    my ($line, @lines) = split /\r\n/, $head // '';
    my %headers;

    return { status => 0, error => 'no HTTP answer', raw => $data }
        if !defined $line || $line !~ m{^HTTP/1\.\d (\d{3})\s*(.*)$};
    my %answer = (status => $1, reason => $2, raw => $data);
    for (@lines) {
        my ($name, $value) = /^([^:]+):\s*(.*)$/ or next;
        $name = lc $name;
        $headers{$name} = defined $headers{$name} ? "$headers{$name}, $value"
                                                  : $value;
    }
    $body //= '';
    $body = _unchunk($body) if lc($headers{'transfer-encoding'} // '')
        eq 'chunked';
    return { %answer, headers => \%headers, body => $body };
}

# By offsets: a match on the whole text would copy it for every chunk.
sub _unchunk
{
    my ($data) = @_;
    my ($body, $at) = ('', 0);

    while ((my $end = index $data, "\r\n", $at) >= 0) {
        my $size = hex((split /;/, substr $data, $at, $end - $at)[0] // 0);
        last if !$size;
        $body .= substr $data, $end + 2, $size;
        $at = $end + 2 + $size + 2;
        last if $at > length $data;
    }
    return $body;
}

# What a TLS server showed: subject, issuer, names, not_before, not_after
# (seconds), serial (hex), sha256 (hex), pem and the length of the chain.
sub certificate
{
    my ($sock) = @_;
    my $x509 = $sock->peer_certificate or return undef;
    my @alt = Net::SSLeay::X509_get_subjectAltNames($x509);
    my @names;

    while (my ($type, $value) = splice @alt, 0, 2) {
        push @names, $type == 7 ? join('.', unpack 'C4', $value) : $value;
    }
    return {
        subject => Net::SSLeay::X509_NAME_oneline(
            Net::SSLeay::X509_get_subject_name($x509)),
        issuer => Net::SSLeay::X509_NAME_oneline(
            Net::SSLeay::X509_get_issuer_name($x509)),
        names => [sort @names],
        not_before => _asn1_time(Net::SSLeay::X509_get_notBefore($x509)),
        not_after => _asn1_time(Net::SSLeay::X509_get_notAfter($x509)),
        serial => lc Net::SSLeay::P_ASN1_INTEGER_get_hex(
            Net::SSLeay::X509_get_serialNumber($x509)),
        sha256 => lc unpack('H*',
            Net::SSLeay::X509_digest($x509, Net::SSLeay::EVP_get_digestbyname('sha256'))),
        pem => Net::SSLeay::PEM_get_string_X509($x509),
    };
}

sub _asn1_time
{
    my ($text) = Net::SSLeay::P_ASN1_TIME_get_isotime($_[0]);

    return undef if $text !~ /^(\d+)-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z$/;
    require Time::Local;
    return Time::Local::timegm($6, $5, $4, $3, $2 - 1, $1);
}

# ---------------------------------------------------------- certificates

# A minimal CA and a certificate of it for the given names, made with
# openssl below the directory $where. Options: days, names (DNS or IP),
# key ("ec" or "rsa"). Returns { ca, cert, key, ca_key }: paths.
sub make_tls
{
    my ($self, $where, %opt) = @_;
    my $dir = $self->make_dir($where, 0700);
    my %file = map { $_ => "$dir/$_.pem" } qw(ca ca_key cert key);
    my $san = join ',', map { (/^[\d.]+$/ ? 'IP:' : 'DNS:') . $_ }
        @{$opt{names} // ['localhost', '127.0.0.1']};
    my @newkey = ($opt{key} // 'ec') eq 'rsa'
        ? ('-newkey', 'rsa:2048')
        : ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256');
    my $days = $opt{days} // 30;

    # A CA of negative days is more than openssl makes.
    $self->openssl('req', '-x509', @newkey, '-nodes', '-days',
        $days > 0 ? $days : 30,
        '-keyout', $file{ca_key}, '-out', $file{ca},
        '-subj', $opt{ca_subject} // '/CN=rig root',
        '-addext', 'keyUsage=critical,keyCertSign,cRLSign');
    $self->openssl('req', '-new', @newkey, '-nodes', '-keyout', $file{key},
        '-out', "$dir/csr.pem", '-subj', '/CN=rig server',
        '-addext', "subjectAltName=$san");
    $self->openssl('x509', '-req', '-in', "$dir/csr.pem", '-CA', $file{ca},
        '-CAkey', $file{ca_key}, '-days', $days, '-out', $file{cert},
        '-copy_extensions', 'copy');
    return \%file;
}

sub openssl
{
    my ($self, @args) = @_;
    my $result = $self->run([program('openssl') // 'openssl', @args]);

    die "openssl @args: $result->{err}\n" if $result->{status};
    return $result->{out};
}

# --------------------------------------------------------------- acmectl

# Run acmectl. The last JSON object on stdout is decoded when --json is
# among the arguments. Options as for run.
sub acmectl
{
    my ($self, $args, %opt) = @_;
    my $result = $self->run([acmectl_path(), @$args], %opt);

    if (grep { $_ eq '--json' } @$args) {
        $result->{json} = eval { JSON::PP->new->utf8->decode($result->{out}) };
    }
    return $result;
}

1;
