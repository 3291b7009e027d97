package ACME::Rig::Responder;

# An OCSP responder on loopback: what it says is made by "openssl ocsp",
# how it says it a test decides.
#
#   my $ocsp = ACME::Rig::Responder->new($rig);
#   ... give $ocsp->url to the CA, start the CA ...
#   $ocsp->speak_for($issuer_pem, $issuer_key_pem)->start;
#   $ocsp->set(mode => 'garbage');
#
# It calls every certificate good but those that it was told are revoked.
# Settings, from the next request on:
#   mode     good, unknown (certificates), garbage, huge, silent (accepts and
#            never answers), error (500), refusal (an OCSP error), redirect,
#            other (about another certificate)
#   signer   issuer, delegated (OCSPSigning), stranger
#   minutes  until nextUpdate (60); 0: it says none
#   revoked  serial numbers, lower-case hex

use strict;
use warnings;

use IO::Socket::INET;
use JSON::PP ();
use Time::HiRes ();
use ACME::Rig ();

my @CURVE = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes');

sub new
{
    my ($class, $rig, %opt) = @_;
    my $self = bless { rig => $rig, port => $rig->port,
        dir => $rig->path($opt{name} // 'responder'), number => 0 }, $class;

    $rig->make_dir($self->{dir}, 0700);
    $self->{set} = { mode => 'good', signer => 'issuer', minutes => 60,
                     revoked => [] };
    return $rig->adopt($self);
}

sub port { return $_[0]{port} }
sub url { return "http://127.0.0.1:$_[0]{port}/ocsp" }
sub file { my ($self, $name) = @_; return "$self->{dir}/$name" }

# The issuer, and one that it has appointed, and one of another CA.
sub speak_for
{
    my ($self, $cert, $key) = @_;
    my $rig = $self->{rig};

    $rig->write_file($self->file('issuer.pem'), $cert);
    $rig->write_file($self->file('issuer.key'), $key);
    $rig->write_file($self->file('ext'), "extendedKeyUsage=OCSPSigning\n");
    $rig->openssl('req', '-new', @CURVE, '-keyout',
        $self->file('delegated.key'), '-out', $self->file('csr'), '-subj',
        '/CN=responder');
    $rig->openssl('x509', '-req', '-in', $self->file('csr'), '-CA',
        $self->file('issuer.pem'), '-CAkey', $self->file('issuer.key'),
        '-extfile', $self->file('ext'), '-days', 9, '-set_serial', 77,
        '-out', $self->file('delegated.pem'));
    $rig->openssl('req', '-x509', @CURVE, '-days', 9, '-keyout',
        $self->file('stranger.key'), '-out', $self->file('stranger.pem'),
        '-subj', '/CN=stranger', '-addext', 'extendedKeyUsage=OCSPSigning');
    return $self->set;
}

sub set
{
    my ($self, %change) = @_;

    $self->{set} = { %{$self->{set}}, %change };
    $self->{rig}->write_file($self->file('set.new'),
        JSON::PP->new->encode($self->{set}));
    rename $self->file('set.new'), $self->file('set') or die $!;
    return $self;
}

sub start
{
    my ($self) = @_;
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $self->{port}, Listen => 64, ReuseAddr => 1)
        or die "responder: cannot listen on $self->{port}: $!\n";

    $self->{pid} = $self->{rig}->spawn_sub(sub { $self->_serve($listener) });
    close $listener;
    return $self;
}

sub stop
{
    my ($self) = @_;

    $self->{rig}->kill_pid(delete $self->{pid});
    return;
}

# "openssl ocsp" itself in its place, which knows these certificates (serial
# numbers) alone.
sub start_openssl
{
    my ($self, @serials) = @_;

    $self->_write_index('index', @serials);
    $self->{pid} = $self->{rig}->spawn([ACME::Rig::program('openssl'),
        'ocsp', '-index', $self->file('index'), '-port', $self->{port},
        $self->_who, '-nmin', 60], log => $self->file('openssl.log'));
    # It takes a connection that asks nothing ill, so only its log tells.
    ACME::Rig::wait_for(10, 'openssl ocsp', sub {
        (ACME::Rig->read_file($self->file('openssl.log')) // '')
            =~ /waiting for OCSP client/ });
    return $self;
}

# The requests so far, each as { method, path, type, length }.
sub requests
{
    my ($self) = @_;

    return map { JSON::PP->new->decode($_) }
        split /\n/, ACME::Rig->read_file($self->file('log')) // '';
}

# ---------------------------------------------------------------- answers

sub _serve
{
    my ($self, $listener) = @_;
    my @silent;

    local $SIG{PIPE} = 'IGNORE';

    while (my $client = $listener->accept) {
        my $request = _read($client);
        if (!$request) {
            close $client;
            next;
        }
        $self->_note($request);
        $self->{set} = JSON::PP->new->decode(
            ACME::Rig->read_file($self->file('set')));
        if ($self->{set}{mode} eq 'silent') {
            push @silent, $client;
            next;
        }
        print {$client} $self->_answer($request);
        close $client;
    }
    return;
}

# One request; undef: somebody only looked whether the port is open.
sub _read
{
    my ($client) = @_;
    my $text = '';

    while ($text !~ /\r\n\r\n/) {
        sysread($client, $text, 4096, length $text) or return;
    }
    my ($head, $body) = split /\r\n\r\n/, $text, 2;
    my ($length) = $head =~ /^Content-Length: (\d+)/mi;
    while (length $body < ($length // 0)) {
        sysread($client, $body, 4096, length $body) or return;
    }
    my ($method, $path) = split ' ', $head;
    my ($type) = $head =~ /^Content-Type: (\S+)/mi;
    return { method => $method, path => $path, type => $type, body => $body };
}

sub _note
{
    my ($self, $request) = @_;

    open my $log, '>>', $self->file('log') or die $!;
    print {$log} JSON::PP->new->canonical->encode({ method => $request->{method},
        path => $request->{path}, type => $request->{type},
        length => length $request->{body} }), "\n";
    close $log;
    return;
}

sub _http
{
    my ($status, $body, %header) = @_;
    my $head = join '', map { "$_: $header{$_}\r\n" } sort keys %header;

    return "HTTP/1.1 $status X\r\nConnection: close\r\nContent-Length: "
        . length($body) . "\r\n$head\r\n$body";
}

sub _answer
{
    my ($self, $request) = @_;
    my $mode = $self->{set}{mode};
    my @type = ('Content-Type', 'application/ocsp-response');

    return _http(500, 'no') if $mode eq 'error';
    return _http(200, '<html>', @type) if $mode eq 'garbage';
    return _http(200, 'x' x 17_000, @type) if $mode eq 'huge';
    return _http(200, "\x30\x03\x0a\x01\x06", @type) if $mode eq 'refusal';
    return _http(307, '', Location => 'http://127.0.0.1:1/')
        if $mode eq 'redirect';
    return _http(200, $self->response($request->{body}), @type);
}

sub _who
{
    my ($self) = @_;
    my $signer = $self->{set}{signer};

    return ('-CA', $self->file('issuer.pem'), '-rsigner',
            $self->file("$signer.pem"), '-rkey', $self->file("$signer.key"));
}

# The DER that answers a request's.
sub response
{
    my ($self, $der) = @_;
    my ($rig, $set) = @$self{qw(rig set)};
    my ($ask, $reply) = map { $self->file("$_.der") } qw(ask reply);
    my @serials = ('01');

    $rig->write_file($ask, $der);
    if ($set->{mode} eq 'other') {
        $rig->openssl('ocsp', '-issuer', $self->file('issuer.pem'),
                      '-serial', '0x01', '-reqout', $ask);
    }
    elsif ($set->{mode} eq 'good') {
        push @serials, map { lc } $rig->openssl('ocsp', '-reqin', $ask,
            '-req_text') =~ /Serial Number: (\w+)/g;
    }
    $self->_write_index('index', @serials);
    $rig->openssl('ocsp', '-index', $self->file('index'), $self->_who,
        '-reqin', $ask, '-respout', $reply,
        $set->{minutes} ? ('-nmin', $set->{minutes}) : ());
    return ACME::Rig->read_file($reply);
}

# What "openssl ca" would have written.
sub _write_index
{
    my ($self, $name, @serials) = @_;
    my %revoked = map { $_ => 1 } @{$self->{set}{revoked}};

    $self->{rig}->write_file($self->file($name), join '', map {
        my ($letter, $when) = $revoked{$_}
            ? ('R', '200101000000Z,keyCompromise') : ('V', '');
        "$letter\t491231235959Z\t$when\t\U$_\E\tunknown\t/CN=$_\n" } @serials);
    return;
}

1;
