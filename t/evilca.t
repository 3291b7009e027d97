#!/usr/bin/perl

# The scripted CA of the rig: honest when left alone, and bad in exactly the
# way a test asks for.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use JSON::PP ();
use Time::HiRes qw(time);

use ACME::Rig;
use ACME::Rig::EvilCA;

ACME::Rig::skip_unless_able(qw(openssl));
my $rig = ACME::Rig->new;
my $json = JSON::PP->new->utf8->canonical;
my $ca = ACME::Rig::EvilCA->new($rig)->start;

sub ask
{
    my ($path, %opt) = @_;

    return ACME::Rig::fetch($ca->port, 'localhost', tls => 1,
        ca => $ca->ca_file, path => $path, timeout => 2, %opt);
}

# A POST with a JWS whose signature nobody looks at.
sub post
{
    my ($url, $payload, %header) = @_;
    my ($path) = $url =~ m{^https://[^/]+(/.*)$};
    my $nonce = delete $header{nonce}
        // ask('/new-nonce', method => 'HEAD')->{headers}{'replay-nonce'};
    my $protected = { alg => 'ES256', nonce => $nonce, url => $url,
                      kid => $ca->base . '/account/x', %header };
    delete $protected->{kid} if $header{jwk};
    my $body = $json->encode({
        protected => ACME::Rig::EvilCA::b64url($json->encode($protected)),
        payload => ACME::Rig::EvilCA::b64url(
            defined $payload ? $json->encode($payload) : ''),
        signature => 'AAAA' });
    my $answer = ask($path, method => 'POST', body => $body,
        headers => ['Content-Type' => 'application/jose+json']);

    $answer->{json} = eval { $json->decode($answer->{body}) }
        if length($answer->{body} // '');
    return $answer;
}

sub type_of
{
    my ($answer) = @_;

    return ($answer->{json}{type} // '') =~ s/^urn:ietf:params:acme:error://r;
}

my %jwk = (jwk => { kty => 'EC', crv => 'P-256', x => 'x', y => 'y' });

# Left alone it goes the whole way of RFC 8555 7.4.
{
    my $directory = $json->decode(ask('/dir')->{body});
    my $account = post($directory->{newAccount},
        { termsOfServiceAgreed => \1 }, %jwk);
    is $account->{status}, 201, 'an account';
    is post($directory->{newAccount}, { onlyReturnExisting => \1 },
            %jwk)->{status}, 200, 'found again';
    my $order = post($directory->{newOrder}, { identifiers => [
        { type => 'dns', value => 'a.test' },
        { type => 'dns', value => '*.b.test' }] });
    is $order->{status}, 201, 'an order';
    is scalar(@{$order->{json}{authorizations}}), 2, 'two authorizations';
    my $early = post($order->{json}{finalize}, { csr => '' });
    is type_of($early), 'orderNotReady', 'not ready yet';
    for my $url (@{$order->{json}{authorizations}}) {
        my $authz = post($url, undef)->{json};
        is $authz->{status}, 'pending', "$authz->{identifier}{value} waits";
        is post($authz->{challenges}[0]{url}, {})->{json}{status}, 'valid',
            'the challenge is met';
    }
    is post($order->{headers}{location}, undef)->{json}{status}, 'ready',
        'the order is ready';
    $rig->openssl(qw(req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256
        -nodes -subj / -outform DER -addext), 'subjectAltName=DNS:a.test',
        '-keyout', $rig->path('k.pem'), '-out', $rig->path('csr.der'));
    my $done = post($order->{json}{finalize},
        { csr => ACME::Rig::EvilCA::b64url($rig->read_file('csr.der')) });
    is $done->{json}{status}, 'valid', 'finalized';
    my $chain = post($done->{json}{certificate}, undef);
    is $chain->{headers}{'content-type'}, 'application/pem-certificate-chain',
        'a chain';
    my $file = $rig->write_file('chain.pem', $chain->{body});
    like $rig->openssl('verify', '-CAfile', $ca->roots_file, '-untrusted',
        $ca->issuer_file, $file), qr/: OK/, 'that leads to its root';
}

# What a client must not get wrong is refused.
{
    my $url = $ca->url('newOrder');
    is type_of(post($url, {}, nonce => 'stale')), 'badNonce', 'a stale nonce';
    is type_of(post($url, {}, url => "$url/x")), 'malformed', 'a wrong url';
    is type_of(post($url, {}, alg => 'RS256')), 'badSignatureAlgorithm',
        'a wrong algorithm';
    is ask('/new-order')->{status}, 405, 'GET of an order';
    is ask('/new-order', method => 'POST', body => '{}')->{status}, 415,
        'a wrong content type';
    is ask('/nowhere')->{status}, 404, 'no such resource';
    is post($ca->base . '/certificate/99', undef)->{status}, 404,
        'no such certificate';
}

# Every request is in the log, taken apart.
{
    my @orders = $ca->requests('newOrder');
    is $orders[0]{payload}{identifiers}[0]{value}, 'a.test', 'the payload';
    is $orders[0]{protected}{alg}, 'ES256', 'the header';
    $ca->clear_requests;
    is scalar($ca->requests), 0, 'and forgotten on demand';
}

# An answer is replaced by a hash, by code, or by a list of both.
{
    my $problem = ACME::Rig::EvilCA::problem(503, 'serverInternal', 'tired',
        headers => ['Retry-After', 7]);
    $ca->restart(directory => [$problem, undef,
        sub { my ($request, $honest) = @_;
              return { %{$honest->()}, type => 'text/html' } }]);
    my $answer = ask('/dir');
    is $answer->{status}, 503, 'first a problem';
    is $answer->{headers}{'retry-after'}, 7, 'with a header';
    is ask('/dir')->{headers}{'content-type'}, 'application/json', 'honest';
    is ask('/dir')->{headers}{'content-type'}, 'text/html', 'changed';
    is ask('/dir')->{status}, 200, 'the list is over: honest';
}

# Bytes that come late, in part, without end, or never.
{
    $ca->restart(
        directory => [{ delay => 0.3, object => {} }, { stall => 30 },
                      { cut => 30 }, { drop => 1 }, { huge => 3_000_000 },
                      { endless => 1 }, { raw => "garbage\r\n\r\n" }],
        newNonce => { status => 204, nonce => undef });
    my $start = time;
    is ask('/dir')->{status}, 200, 'late';
    cmp_ok time - $start, '>=', 0.3, '... by what was asked';
    is length(ask('/dir')->{raw}), 30, 'stalled after 30 bytes';
    is length(ask('/dir')->{raw}), 30, 'cut after 30 bytes';
    is length(ask('/dir')->{raw} // ''), 0, 'dropped';
    is length(ask('/dir', timeout => 10)->{body}), 3_000_000, 'huge';
    cmp_ok length(ask('/dir', timeout => 0.3)->{raw}), '>', 500_000,
        'endless';
    is ask('/dir')->{raw}, "garbage\r\n\r\n", 'raw';
    is ask('/new-nonce', method => 'HEAD')->{headers}{'replay-nonce'}, undef,
        'no nonce';
    is ask('/dir')->{status}, 200, 'and the server lives';
}

# One slow client does not hold up another.
{
    $ca->restart(directory => [{ delay => 30 }]);
    $ca->clear_requests;
    my $slow = fork() // die;
    if (!$slow) { ask('/dir'); POSIX::_exit(0) }
    ACME::Rig::wait_for(5, 'the slow request', sub { $ca->requests });
    is ask('/dir')->{status}, 200, 'the next one is served at once';
    waitpid $slow, 0;
}

# Challenges can really be fetched, and orders can take their time.
{
    my $other = ACME::Rig::EvilCA->new($rig, name => 'strict',
        http => $rig->port, processing => 2, retry_after => 3);
    $ca->stop;
    $ca = $other->start;
    my $order = post($ca->url('newOrder'), { identifiers => [
        { type => 'dns', value => 'a.test' }] });
    is $order->{headers}{'retry-after'}, 3, 'Retry-After';
    my $authz = post($order->{json}{authorizations}[0], undef)->{json};
    my $challenge = post($authz->{challenges}[0]{url}, {})->{json};
    is $challenge->{status}, 'invalid', 'nobody answers the challenge';
    like $challenge->{error}{type}, qr/unauthorized/, 'and it says so';
    is post($order->{headers}{location}, undef)->{json}{status}, 'invalid',
        'so is the order';
}

# Its own TLS can be wrong too.
{
    my $expired = ACME::Rig::EvilCA->new($rig, name => 'other',
        tls => { names => ['other.test'] })->start;
    ok !ACME::Rig::fetch($expired->port, 'localhost', tls => 1,
        ca => $expired->ca_file, path => '/dir')->{status},
        'a certificate for another name';
}

done_testing;
