package ACME::Rig::Pebble;

# Pebble as the CA and pebble-challtestsrv as its resolver (and nothing
# else: challenges are answered by the rig's httpd), both on loopback with
# a TLS certificate of the rig's own.
#
#   my $ca = ACME::Rig::Pebble->new($rig, http => $httpd->http,
#                                   https => $httpd->https);
#   $ca->start;
#   ... $ca->directory, $ca->ca_file, $ca->roots_file ...

use strict;
use warnings;

use JSON::PP ();
use ACME::Rig ();

# Options: http, https (where the CA looks for challenges), retry_after
# (seconds, 1), key_algorithm ("ecdsa"), nonce_reject (percent, 0),
# authz_reuse (percent, 0), sleep (whether the validation dawdles, 0),
# strict, alternate_roots, chain_length, eab ({ kid => key }), profiles,
# blocklist, ocsp (URL of the responder that certificates name), env, days
# (lifetime of its TLS certificate), untrusted.
sub new
{
    my ($class, $rig, %opt) = @_;
    my $self = bless {
        rig => $rig, opt => \%opt, dir => $rig->path($opt{name} // 'pebble'),
        pebble => ACME::Rig::program('pebble', 'PEBBLE'),
        resolver => ACME::Rig::program('pebble-challtestsrv',
                                       'PEBBLE_CHALLTESTSRV'),
    }, $class;

    # The two come in one package; a given Pebble brings its own companion.
    if ($ENV{PEBBLE} && !$ENV{PEBBLE_CHALLTESTSRV}) {
        my $beside = "$ENV{PEBBLE}-challtestsrv";
        $self->{resolver} = $beside if -x $beside;
    }
    die "Pebble is not installed: run support/prepare\n"
        if !$self->{pebble} || !$self->{resolver};
    @$self{qw(port management dns dns_management)} = $rig->ports(4);
    $rig->make_dir($self->{dir}, 0700);
    $self->{tls} = $rig->make_tls("$self->{dir}/tls",
                                  days => $opt{days} // 30);
    return $rig->adopt($self);
}

sub port { return $_[0]{port} }
sub directory { return "https://localhost:$_[0]{port}/dir" }
sub log_file { return "$_[0]{dir}/pebble.log" }

# Trust roots for the CA's own TLS (ACMECACertificateFile).
sub ca_file { return $_[0]{tls}{ca} }

# -------------------------------------------------------------- processes

sub start
{
    my ($self, %opt) = @_;
    my $rig = $self->{rig};

    $self->{opt} = { %{$self->{opt}}, %opt };
    $self->_start_resolver if !$rig->alive($self->{resolver_pid});
    $self->{pid} = $rig->spawn($self->_command, env => $self->_environment,
                               log => $self->log_file, dir => $self->{dir});
    for my $port ($self->{port}, $self->{management}) {
        ACME::Rig::wait_port($port, 'Pebble',
                             sub { $rig->alive($self->{pid}) });
    }
    return $self;
}

sub stop
{
    my ($self) = @_;

    $self->{rig}->kill_pid(delete $self->{pid});
    $self->{rig}->kill_pid(delete $self->{resolver_pid});
    return;
}

# Stop the CA alone and start it again, perhaps with other options. It
# keeps nothing: accounts, orders and its root are new.
sub restart
{
    my ($self, %opt) = @_;

    $self->halt;
    return $self->start(%opt);
}

# The CA goes away; the resolver stays.
sub halt { my ($self) = @_; $self->{rig}->kill_pid(delete $self->{pid}); return }

# Whether it has locked itself up: its goroutines wait for locks of each
# other for ever, as an order's and its authorizations'. To see that it is
# made to tell what they do, which ends it.
sub has_locked_up
{
    my ($self) = @_;

    return 0 if !$self->is_running;
    $self->{rig}->kill_pid(delete $self->{pid}, 'QUIT');
    return is_lock_up($self->{rig}->read_file($self->log_file));
}

# The same of what a program of Go told at SIGQUIT.
sub is_lock_up
{
    my ($text) = @_;
    my $waiting = () = $text
        =~ /^goroutine \d+[^\[\n]*\[(?:sync\.(?:RW)?Mutex\.R?Lock|semacquire)\b/mg;

    return $waiting >= 2 ? 1 : 0;
}

sub is_running { return $_[0]{rig}->alive($_[0]{pid}) }

sub _command
{
    my ($self) = @_;
    my $opt = $self->{opt};
    my $wait = $opt->{retry_after} // 1;
    my %config = (
        listenAddress => "127.0.0.1:$self->{port}",
        managementListenAddress => "127.0.0.1:$self->{management}",
        certificate => $self->{tls}{cert}, privateKey => $self->{tls}{key},
        httpPort => ($opt->{http} // 80) + 0,
        tlsPort => ($opt->{https} // 443) + 0,
        ocspResponderURL => $opt->{ocsp} // '',
        externalAccountBindingRequired => $opt->{eab} ? \1 : \0,
        externalAccountMACKeys => $opt->{eab} // {},
        domainBlocklist => $opt->{blocklist} // [],
        retryAfter => { authz => $wait + 0, order => $wait + 0 },
        keyAlgorithm => $opt->{key_algorithm} // 'ecdsa',
    );

    $config{profiles} = $opt->{profiles} if $opt->{profiles};
    $self->{rig}->write_file("$self->{dir}/config.json",
        JSON::PP->new->canonical->pretty->encode({ pebble => \%config }));
    return [$self->{pebble}, '-config', "$self->{dir}/config.json",
            '-dnsserver', "127.0.0.1:$self->{dns}",
            $opt->{strict} ? '-strict' : ()];
}

sub _environment
{
    my ($self) = @_;
    my $opt = $self->{opt};

    return {
        PEBBLE_VA_NOSLEEP => $opt->{sleep} ? undef : 1,
        PEBBLE_VA_SLEEPTIME => $opt->{sleep} || undef,
        PEBBLE_WFE_NONCEREJECT => $opt->{nonce_reject} // 0,
        PEBBLE_AUTHZREUSE => $opt->{authz_reuse} // 0,
        PEBBLE_ALTERNATE_ROOTS => $opt->{alternate_roots} // 0,
        PEBBLE_CHAIN_LENGTH => $opt->{chain_length} // 1,
        %{$opt->{env} // {}},
    };
}

# Every name resolves to 127.0.0.1 unless a test says otherwise. The flag
# for the resolver's address and the list of other servers differ between
# the versions.
sub _start_resolver
{
    my ($self) = @_;
    my $rig = $self->{rig};
    my $help = $rig->run([$self->{resolver}, '-h']);
    my %has = map { $_ => 1 } "$help->{out}$help->{err}" =~ /^\s+-(\w+)/mg;
    my @args = map { $has{$_} ? ("-$_", '') : () }
        qw(http01 https01 tlsalpn01 doh);

    push @args, $has{dnsserver} ? '-dnsserver' : '-dns01',
        "127.0.0.1:$self->{dns}", '-management',
        "127.0.0.1:$self->{dns_management}",
        '-defaultIPv6', '', '-defaultIPv4', '127.0.0.1';
    $self->{resolver_pid} = $rig->spawn([$self->{resolver}, @args],
        log => "$self->{dir}/challtestsrv.log", dir => $self->{dir});
    ACME::Rig::wait_port($self->{dns_management}, 'the resolver',
        sub { $rig->alive($self->{resolver_pid}) });
    return;
}

# ---------------------------------------------------------------- queries

# The directory object; renewalInfo and meta.profiles tell newer versions.
sub query_directory
{
    my ($self) = @_;
    my $answer = ACME::Rig::fetch($self->{port}, 'localhost', tls => 1,
                                  ca => $self->ca_file, path => '/dir');

    die "Pebble's directory: " . ($answer->{error} // $answer->{status}) . "\n"
        if $answer->{status} != 200;
    return JSON::PP->new->utf8->decode($answer->{body});
}

# Whether the version at hand knows "ari", "profiles" or "eab".
sub has
{
    my ($self, $feature) = @_;
    my $directory = $self->query_directory;
    my %has = (ari => exists $directory->{renewalInfo},
               profiles => exists $directory->{meta}{profiles});

    die "no such feature: $feature\n" if !exists $has{$feature};
    return $has{$feature} ? 1 : 0;
}

sub manage
{
    my ($self, $path, %opt) = @_;
    my $answer = ACME::Rig::fetch($self->{management}, 'localhost', tls => 1,
        ca => $self->ca_file, path => $path, %opt);

    die "Pebble's $path: " . ($answer->{error} // $answer->{status}) . "\n"
        if $answer->{status} != 200;
    return $answer->{body};
}

# The PEM root of the certificates it issues; number 0 unless said.
sub root_pem { my ($self, $n) = @_; return $self->manage('/roots/' . ($n // 0)) }

# The same in a file, to verify what httpd serves.
sub roots_file
{
    my ($self) = @_;

    return $self->{rig}->write_file("$self->{dir}/roots.pem", $self->root_pem);
}

# What the CA thinks of a certificate: { Status, Reason, Serial, ... }.
sub certificate_status
{
    my ($self, $serial) = @_;

    return JSON::PP->new->utf8->decode(
        $self->manage("/cert-status-by-serial/$serial"));
}

# Tell the resolver: ->resolver('set-servfail', { host => 'a.test' }).
sub resolver
{
    my ($self, $command, $body) = @_;
    my $answer = ACME::Rig::fetch($self->{dns_management}, 'localhost',
        path => "/$command", method => 'POST',
        body => JSON::PP->new->utf8->encode($body));

    die "the resolver's $command: "
        . ($answer->{error} // $answer->{status}) . "\n"
        if $answer->{status} != 200;
    return $answer->{body};
}

# The ACME requests so far, as [method, path], from the CA's own log.
sub requests
{
    my ($self) = @_;
    my $log = ACME::Rig->read_file($self->log_file) // '';
    my @found;

    push @found, [$1, $2]
        while $log =~ m{ (GET|HEAD|POST) (/\S*) -> calling handler}g;
    return grep { $_->[1] !~ m{^/(?:roots|intermediates|root-keys
        |intermediate-keys|cert-status-by-serial|set-renewal-info)/}x }
        @found;
}

1;
