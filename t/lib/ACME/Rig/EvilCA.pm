package ACME::Rig::EvilCA;

# A scripted ACME server. Left alone it issues certificates as RFC 8555
# says; a test replaces the answer of any resource by its own.
#
#   my $ca = ACME::Rig::EvilCA->new($rig, answers => {
#       newOrder => sub { my ($request, $honest) = @_;
#                         return { %{$honest->()}, type => 'text/html' } },
#       finalize => [undef, { drop => 1 }],     # honest first, then gone
#   })->start;
#
# Resources: directory newNonce newAccount newOrder revokeCert keyChange
# account order authz challenge finalize certificate terms.
#
# An answer is a hash:
#   status, type, headers [name => value ...], object (made JSON) or body
#   raw      the whole answer as bytes, nothing added
#   nonce    another Replay-Nonce; undef: none
#   delay    seconds before the answer
#   huge     a body of so many bytes, announced and sent
#   endless  a chunked body without an end
#   stall    so many bytes of the answer, then silence
#   cut      so many bytes of the answer, then the connection ends
#   drop     the connection ends without an answer
#
# It checks what a client must get right and answers with the problem
# document of RFC 8555 6.7 otherwise: content type, JWS in flattened form,
# url, nonce, POST-as-GET. It does not check signatures. One process, one
# event loop; requests are logged for the test to look at.

use strict;
use warnings;

use Digest::SHA qw(sha256);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::SSL;
use JSON::PP ();
use MIME::Base64 qw(encode_base64 decode_base64);
use POSIX ();
use Time::HiRes qw(time);
use ACME::Rig ();
use ACME::Rig::EvilCA::Loop ();

my $json = JSON::PP->new->utf8->canonical;

my %PATH = (directory => '/dir', newNonce => '/new-nonce',
    newAccount => '/new-account', newOrder => '/new-order',
    revokeCert => '/revoke', keyChange => '/key-change', terms => '/terms');

# Options: answers, http (port: challenges are really fetched there), host
# ("localhost"), tls (names of its certificate, or days: -1 for an expired
# one), retry_after (seconds, 0: none), processing (how often an order says
# "processing" before it is valid), lifetime (days of the certificates),
# tls_config (hash handed to IO::Socket::SSL).
sub new
{
    my ($class, $rig, %opt) = @_;
    my $name = $opt{name} // 'evil-ca';
    my $self = bless {
        rig => $rig, dir => $rig->path($name), opt => \%opt,
        answers => $opt{answers} // {}, port => $rig->port,
        host => $opt{host} // 'localhost',
    }, $class;

    $rig->make_dir($self->{dir}, 0700);
    $self->{tls} = $rig->make_tls("$self->{dir}/tls", %{$opt{tls} // {}});
    $self->_make_issuer;
    return $rig->adopt($self);
}

sub port { return $_[0]{port} }
sub base { return "https://$_[0]{host}:$_[0]{port}" }
sub directory { return $_[0]->base . $PATH{directory} }
sub url { my ($self, $resource) = @_; return $self->base . $PATH{$resource} }
sub ca_file { return $_[0]{tls}{ca} }
sub roots_file { return "$_[0]{dir}/root.pem" }
sub issuer_file { return "$_[0]{dir}/issuer.pem" }

# A root and an intermediate for what it issues.
sub _make_issuer
{
    my ($self) = @_;
    my ($rig, $dir) = @$self{qw(rig dir)};
    my @ec = qw(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes);

    $rig->openssl('req', '-x509', @ec, '-days', 365, '-subj',
        '/CN=Evil Root', '-keyout', "$dir/root.key",
        '-out', "$dir/root.pem", '-addext',
        'keyUsage=critical,keyCertSign,cRLSign');
    $rig->openssl('req', '-new', @ec, '-subj', '/CN=Evil Issuer',
        '-keyout', "$dir/issuer.key", '-out', "$dir/issuer.csr", '-addext',
        'basicConstraints=critical,CA:TRUE');
    $rig->openssl('x509', '-req', '-in', "$dir/issuer.csr", '-CA',
        "$dir/root.pem", '-CAkey', "$dir/root.key", '-days', 365, '-out',
        "$dir/issuer.pem", '-copy_extensions', 'copy');
    return;
}

# -------------------------------------------------------------- processes

sub start
{
    my ($self) = @_;
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $self->{port}, Listen => 128, ReuseAddr => 1)
        or die "evil CA: cannot listen on $self->{port}: $!\n";

    $self->{pid} = $self->{rig}->spawn_sub(sub {
        ACME::Rig::EvilCA::Loop->new($listener, $self->{tls},
            sub { $self->answer(@_) }, $self->{opt}{tls_config})->run;
    });
    close $listener;
    return $self;
}

sub stop
{
    my ($self) = @_;

    $self->{rig}->kill_pid(delete $self->{pid}, 'KILL');
    return;
}

# The same place, other answers; accounts stay valid, orders are forgotten.
sub restart
{
    my ($self, %answers) = @_;

    $self->stop;
    $self->{answers} = \%answers;
    return $self->start;
}

# The requests so far, in order: { method, path, resource, status, headers,
# protected, payload }. Emptied by clear_requests.
sub requests
{
    my ($self, $resource) = @_;
    my $text = ACME::Rig->read_file("$self->{dir}/requests") // '';
    my @all = map { $json->decode($_) } split /\n/, $text;

    return @all if !$resource;
    return grep { ($_->{resource} // '') eq $resource } @all;
}

sub clear_requests { unlink "$_[0]{dir}/requests"; return }

# ---------------------------------------------------------------- answers

# A problem document (RFC 7807, RFC 8555 6.7). $type without the URN.
sub problem
{
    my ($status, $type, $detail, %more) = @_;
    my $headers = delete $more{headers};

    return { status => $status, type => 'application/problem+json',
        headers => $headers // [],
        object => { type => "urn:ietf:params:acme:error:$type",
                    detail => $detail, status => $status + 0, %more } };
}

# What a broken front end says.
sub html
{
    my ($status, @headers) = @_;

    return { status => $status, type => 'text/html', headers => \@headers,
        body => "<html><body><h1>$status</h1>\n</body></html>\n" };
}

# The answer to one request, and its line in the log.
sub answer
{
    my ($self, $request) = @_;
    my $resource = $self->_resource($request);
    my $refusal = $self->_read_jws($request, $resource);
    my $honest = sub {
        return $refusal if $refusal;
        my $method = "_$resource";
        return $self->$method($request);
    };
    my $rule = $self->{answers}{$resource};

    $rule = shift @$rule if ref $rule eq 'ARRAY';
    my $answer = ref $rule eq 'CODE' ? $rule->($request, $honest)
        : $rule // $honest->();
    $self->_log($request, $answer);
    return $self->_bytes($request, $answer);
}

sub _resource
{
    my ($self, $request) = @_;
    my %by_path = reverse %PATH;
    my $path = $request->{path};

    $request->{resource} = $by_path{$path}
        // ($path =~ m{^/(account|order|authz|challenge|finalize|certificate)
                       /([\w-]+)$}x ? $1 : 'unknown');
    $request->{id} = $2 if defined $2;
    return $request->{resource};
}

sub _log
{
    my ($self, $request, $answer) = @_;
    my %line = map { $_ => $request->{$_} }
        qw(method path resource headers protected payload);

    $line{status} = $answer->{status} // 200;
    open my $fh, '>>', "$self->{dir}/requests" or die "requests: $!\n";
    print {$fh} $json->encode(\%line), "\n";
    close $fh;
    return;
}

my %REASON = (200 => 'OK', 201 => 'Created', 204 => 'No Content',
    302 => 'Found', 307 => 'Temporary Redirect', 400 => 'Bad Request',
    403 => 'Forbidden', 404 => 'Not Found', 405 => 'Method Not Allowed',
    415 => 'Unsupported Media Type', 429 => 'Too Many Requests',
    500 => 'Internal Server Error', 503 => 'Service Unavailable');

sub _bytes
{
    my ($self, $request, $answer) = @_;
    my $status = $answer->{status} // 200;
    my $body = defined $answer->{object} ? $json->encode($answer->{object})
        : $answer->{body} // '';
    my $nonce = exists $answer->{nonce} ? $answer->{nonce}
        : $request->{method} eq 'POST' || $request->{resource} eq 'newNonce'
        ? $self->_new_nonce : undef;
    my @headers = (@{$answer->{headers} // []}, 'Cache-Control', 'no-store',
        'Content-Type', $answer->{type} // 'application/json');
    my $head = sprintf "HTTP/1.1 %d %s\r\n", $status, $REASON{$status} // 'X';

    return $answer if defined $answer->{raw} || $answer->{drop};
    push @headers, 'Replay-Nonce', $nonce if defined $nonce;
    push @headers, $answer->{endless} ? ('Transfer-Encoding', 'chunked')
        : ('Content-Length', $answer->{huge} // length $body);
    while (my ($name, $value) = splice @headers, 0, 2) {
        $head .= "$name: $value\r\n";
    }
    $body = '' if $request->{method} eq 'HEAD';
    return { %$answer, raw => "$head\r\n$body" };
}

# ----------------------------------------------------------------- checks

sub b64url { my $t = encode_base64($_[0], ''); $t =~ tr{+/}{-_}; $t =~ tr/=//d; return $t }

sub unb64url
{
    my ($text) = @_;

    return undef if !defined $text || $text !~ /^[A-Za-z0-9_-]*$/;
    $text =~ tr{-_}{+/};
    return decode_base64($text . '=' x (-length($text) % 4));
}

sub _new_nonce
{
    my ($self) = @_;
    my $nonce = sprintf 'nonce%08x%04x', rand(2**32), ++$self->{nonces};

    $self->{fresh}{$nonce} = 1;
    return $nonce;
}

# Take the JWS of a POST apart (RFC 8555 6.2 to 6.5). Returns a problem or
# undef; sets protected, payload and whether the payload was empty.
sub _read_jws
{
    my ($self, $request, $resource) = @_;

    return problem(404, 'malformed', 'no such resource')
        if $resource eq 'unknown';
    if ($request->{method} ne 'POST') {
        return undef if $resource =~ /^(?:directory|newNonce|terms)$/;
        return problem(405, 'malformed', 'use POST');
    }
    return problem(415, 'malformed', 'not application/jose+json')
        if ($request->{headers}{'content-type'} // '')
            ne 'application/jose+json';
    my $jws = eval { $json->decode($request->{body}) }
        // return problem(400, 'malformed', 'the body is not JSON');
    my $header = eval { $json->decode(unb64url($jws->{protected})) }
        // return problem(400, 'malformed', 'no protected header');
    my $payload = unb64url($jws->{payload})
        // return problem(400, 'malformed', 'no payload');
    $request->{protected} = $header;
    $request->{as_get} = $payload eq '';
    $request->{payload} = eval { $json->decode($payload) } if $payload ne '';
    return $self->_check_header($request, $header);
}

sub _check_header
{
    my ($self, $request, $header) = @_;

    return problem(400, 'malformed', 'url does not fit')
        if ($header->{url} // '') ne $self->base . $request->{path};
    return problem(400, 'malformed', 'either jwk or kid')
        if !defined $header->{jwk} == !defined $header->{kid};
    return problem(400, 'badSignatureAlgorithm', 'no such algorithm',
                   algorithms => ['ES256'])
        if ($header->{alg} // '') ne 'ES256';
    return problem(400, 'badNonce', 'not one of ours')
        if !delete $self->{fresh}{$header->{nonce} // ''};
    return undef;
}

# ----------------------------------------------------- RFC 8555, honestly

sub _directory
{
    my ($self) = @_;
    my %object = map { $_ => $self->base . $PATH{$_} }
        qw(newNonce newAccount newOrder revokeCert keyChange);

    return { object => { %object, meta => {
        termsOfService => $self->base . $PATH{terms} } } };
}

sub _newNonce
{
    my ($self, $request) = @_;

    return { status => $request->{method} eq 'HEAD' ? 200 : 204 };
}

sub _terms { return { type => 'text/plain', body => "Be good.\n" } }
sub _revokeCert { return { status => 200, body => '' } }
sub _keyChange { return { object => { status => 'valid' } } }

sub _newAccount
{
    my ($self, $request) = @_;
    my $payload = $request->{payload} // {};
    my $jwk = $request->{protected}{jwk};
    my $key = _thumbprint($jwk // {});
    my $known = $self->{accounts}{$key};

    return problem(400, 'accountDoesNotExist', 'no account has this key')
        if $payload->{onlyReturnExisting} && !$known;
    return problem(403, 'userActionRequired', 'agree to the terms first')
        if !$known && !$payload->{termsOfServiceAgreed};
    $known->{object} //= { status => 'valid',
        contact => $payload->{contact} // [],
        orders => $self->base . "/orders/$key" };
    my $status = $self->{accounts}{$key} ? 200 : 201;
    $self->{accounts}{$key} = $known;
    return { status => $status, object => $known->{object},
             headers => [Location => $self->base . "/account/$key"] };
}

# RFC 7638 for an EC key: the members in order, without spaces.
sub _thumbprint
{
    my ($jwk) = @_;
    my %need = map { $_ => $jwk->{$_} } qw(crv kty x y);

    return b64url(sha256($json->encode(\%need)));
}

sub _account
{
    my ($self, $request) = @_;
    my $known = $self->{accounts}{$request->{id}};

    return { object => $known ? $known->{object} : { status => 'valid' } };
}

sub _newOrder
{
    my ($self, $request) = @_;
    my $n = ++$self->{last_order};
    my @identifiers = @{$request->{payload}{identifiers} // []};
    my @authz;

    return problem(400, 'malformed', 'no identifiers') if !@identifiers;
    for my $i (0 .. $#identifiers) {
        my $value = $identifiers[$i]{value};
        my $wildcard = $value =~ s/^\*\.//;
        push @authz, $self->{authz}{"$n-$i"} = {
            id => "$n-$i", status => 'pending', token => b64url(sha256(rand)),
            value => $value, wildcard => $wildcard };
    }
    $self->{orders}{$n} = { id => $n, status => 'pending', authz => \@authz,
                            identifiers => \@identifiers };
    return { %{$self->_order({ id => $n })}, status => 201 };
}

sub _stamp { return POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + $_[0])) }

sub _order
{
    my ($self, $request) = @_;
    my $order = $self->{orders}{$request->{id}}
        // return problem(404, 'malformed', 'no such order');
    my $base = $self->base;

    if ($order->{status} eq 'pending') {
        my @status = map { $_->{status} } @{$order->{authz}};
        $order->{status} = 'ready' if !grep { $_ ne 'valid' } @status;
        $order->{status} = 'invalid' if grep { $_ eq 'invalid' } @status;
    }
    elsif ($order->{status} eq 'processing' && --$order->{left} <= 0) {
        $order->{status} = 'valid';
    }
    my %object = (status => $order->{status}, expires => _stamp(3600),
        identifiers => $order->{identifiers},
        authorizations => [map { "$base/authz/$_->{id}" } @{$order->{authz}}],
        finalize => "$base/finalize/$order->{id}");
    $object{certificate} = "$base/certificate/$order->{id}"
        if $order->{status} eq 'valid';
    return { object => \%object, headers => [$self->_retry_after,
        Location => "$base/order/$order->{id}"] };
}

sub _retry_after
{
    my ($self) = @_;
    my $seconds = $self->{opt}{retry_after};

    return $seconds ? ('Retry-After' => $seconds) : ();
}

sub _authz
{
    my ($self, $request) = @_;
    my $authz = $self->{authz}{$request->{id}}
        // return problem(404, 'malformed', 'no such authorization');
    my %object = (status => $authz->{status}, expires => _stamp(3600),
        identifier => { type => 'dns', value => $authz->{value} },
        challenges => [$self->_challenge_object($authz)]);

    $authz->{status} = $object{status} = 'deactivated'
        if ($request->{payload}{status} // '') eq 'deactivated';
    $object{wildcard} = JSON::PP::true if $authz->{wildcard};
    return { object => \%object, headers => [$self->_retry_after] };
}

sub _challenge_object
{
    my ($self, $authz) = @_;
    my %object = (type => 'http-01', token => $authz->{token},
        url => $self->base . "/challenge/$authz->{id}",
        status => $authz->{status});

    $object{validated} = _stamp(0) if $authz->{status} eq 'valid';
    $object{error} = $authz->{error} if $authz->{error};
    return \%object;
}

sub _challenge
{
    my ($self, $request) = @_;
    my $authz = $self->{authz}{$request->{id}}
        // return problem(404, 'malformed', 'no such challenge');

    $self->_validate($request, $authz)
        if !$request->{as_get} && $authz->{status} eq 'pending';
    return { object => $self->_challenge_object($authz), headers => [
        Link => sprintf('<%s/authz/%s>;rel="up"', $self->base, $authz->{id})] };
}

# Without a port to ask, every challenge is met.
sub _validate
{
    my ($self, $request, $authz) = @_;
    my ($thumbprint) = $request->{protected}{kid} =~ m{([^/]+)$};
    my $port = $self->{opt}{http};
    my $path = "/.well-known/acme-challenge/$authz->{token}";
    my $want = "$authz->{token}.$thumbprint";

    $authz->{status} = 'valid';
    return if !$port;
    my $got = ACME::Rig::fetch($port, $authz->{value}, path => $path,
                               timeout => 5);
    return if $got->{status} == 200 && $got->{body} eq $want;
    $authz->{status} = 'invalid';
    $authz->{error} = problem(403, 'unauthorized', 'wrong answer from '
        . "$authz->{value}: $got->{status}")->{object};
    return;
}

sub _finalize
{
    my ($self, $request) = @_;
    my $order = $self->{orders}{$request->{id}}
        // return problem(404, 'malformed', 'no such order');
    $self->_order($request);
    return problem(403, 'orderNotReady', "the order is $order->{status}")
        if $order->{status} ne 'ready';
    my $csr = unb64url($request->{payload}{csr})
        // return problem(400, 'badCSR', 'no CSR');

    $order->{chain} = eval { $self->issue($csr) }
        // return problem(400, 'badCSR', "$@");
    $order->{left} = $self->{opt}{processing} // 0;
    $order->{status} = $order->{left} > 0 ? 'processing' : 'valid';
    $order->{left}++ if $order->{left};
    return $self->_order($request);
}

# Sign a CSR (DER). Options: days, key and names are the CSR's own. Returns
# leaf and intermediate as PEM.
sub issue
{
    my ($self, $csr) = @_;
    my ($rig, $dir) = @$self{qw(rig dir)};
    my $in = $rig->write_file("$dir/request.der", $csr);
    my $days = $self->{opt}{lifetime} // 90;
    my $leaf = $rig->openssl('x509', '-req', '-inform', 'DER', '-in', $in,
        '-CA', "$dir/issuer.pem", '-CAkey', "$dir/issuer.key",
        '-copy_extensions', 'copy', '-days', $days);

    $leaf =~ s/.*?(?=-----BEGIN)//s;
    return $leaf . $rig->read_file("$dir/issuer.pem");
}

# A chain for other names or another key than asked for.
sub foreign_chain
{
    my ($self, @names) = @_;
    my $tls = $self->{rig}->make_tls("$self->{dir}/foreign", names => \@names);

    return $self->{rig}->read_file($tls->{cert})
        . $self->{rig}->read_file($tls->{ca});
}

sub _certificate
{
    my ($self, $request) = @_;
    my $order = $self->{orders}{$request->{id}};

    return problem(404, 'malformed', 'no such certificate')
        if !$order || !$order->{chain};
    return { type => 'application/pem-certificate-chain',
             body => $order->{chain} };
}

1;
