#!/usr/bin/perl

# A CA that is hostile or broken in every way the rig knows: each run ends
# in bounded time with one clear sentence, nothing of what the CA sent is
# kept or shown raw, and httpd goes on with the certificate it has.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use File::Path qw(remove_tree);
use POSIX ();
use Time::HiRes qw(time);

use ACME::Scene;
use ACME::Rig::EvilCA;

my $scene = ACME::Scene->new(ca => 0);
my ($rig, $httpd, $store) = ($scene->rig, $scene->httpd, $scene->store);
my $ca = ACME::Rig::EvilCA->new($rig, http => $httpd->http)->start;
my ($base, $dir) = ($ca->base, $rig->path('evil-ca'));

$scene->{ca} = $ca;
$scene->config(domains => [['a.test', 'www.a.test']])->start;
$scene->ends(['issue', 'a.test'], 0, 'an honest certificate');
my $serial = $scene->serves_ok('a.test')->{serial};
$rig->write_file('saved-ledger', $rig->read_file("$store/ledger.json"));

sub problem { return ACME::Rig::EvilCA::problem(@_) }
sub html { return ACME::Rig::EvilCA::html(@_) }

# The honest answer with some members of its object replaced (undef: left
# out) or computed from their value (code).
sub with
{
    my (%change) = @_;

    return sub {
        my ($request, $honest) = @_;
        my $answer = $honest->();
        my $object = { %{$answer->{object}} };
        for my $name (keys %change) {
            my $to = $change{$name};
            $to = $to->($object->{$name}) if ref $to eq 'CODE';
            if (defined $to) { $object->{$name} = $to }
            else { delete $object->{$name} }
        }
        return { %$answer, object => $object };
    };
}

# The honest answer with other headers.
sub headed
{
    my (@headers) = @_;

    return sub {
        my ($request, $honest) = @_;
        my $answer = $honest->();
        my @kept = @{$answer->{headers} // []};
        my @out;
        while (my ($name, $value) = splice @kept, 0, 2) {
            push @out, $name, $value
                if !grep { lc $_ eq lc $name } @headers;
        }
        return { %$answer, headers => [@out, @headers] };
    };
}

# The honest answer with another body.
sub body
{
    my ($body) = @_;

    return sub {
        my ($request, $honest) = @_;
        my $answer = $honest->();
        my $text = ref $body ? $body->($answer->{body}) : $body;
        my %kept = %$answer;
        delete $kept{object};
        return { %kept, body => $text };
    };
}

# The honest answer, and what happens to its bytes.
sub bytes
{
    my (%how) = @_;

    return sub { my ($request, $honest) = @_; return { %{$honest->()}, %how } };
}

# One challenge with another member.
sub challenge
{
    my (%change) = @_;

    return with(challenges => sub {
        return [map { +{ %$_, %change } } @{$_[0]}];
    });
}

# Run the answers against `issue --force a.test`. Options: status (a list
# that is allowed), like (the sentence), fresh (the cached directory is
# dropped), new (the account too), within (seconds, 3).
sub hostile
{
    my ($what, $answers, %opt) = @_;
    my ($r, $seconds);

    remove_tree("$store/orders");
    unlink glob "$store/accounts/*/directory.json" if $opt{fresh} || $opt{new};
    unlink glob "$store/accounts/*/account.json" if $opt{new};
    unlink "$store/ledger.json";
    $ca->restart(%$answers);
    my $before = $scene->kept;
    my $now = $scene->served_now;

    subtest $what => sub {
        my $start = time;
        $r = $scene->ctl('--json', 'issue', '--force', 'a.test');
        $seconds = time - $start;
        my @allowed = ref $opt{status} ? @{$opt{status}} : $opt{status};
        ok scalar(grep { $r->{status} == $_ } @allowed),
            "exit status @allowed" or diag "got $r->{status}";
        my @sentences = ACME::Scene::sentences($r);
        like $sentences[0] // '', $opt{like}, 'the sentence'
            or diag $r->{out}, $r->{err};
        is scalar(grep { /[\x00-\x1f\x7f-\x9f\x{200b}-\x{202e}]/
                         || length > 2048 } @sentences), 0, 'it is clean';
        unlike "$r->{out}$r->{err}", qr/[\x00-\x09\x0b-\x1f\x7f]/,
            'no control character comes out';
        cmp_ok $seconds, '<', $opt{within} // 3, sprintf 'in %.2f s', $seconds;
        is_deeply $scene->kept, $before, 'nothing in the store is lost';
        is_deeply $scene->served_now, $now, 'httpd serves what it served';
        is_deeply [$scene->_mode_faults], [], 'nothing is left over';
    };
    return $r;
}

# An order that is not ready for so many seconds.
sub processing
{
    my ($seconds) = @_;
    my $change = with(status => 'processing', certificate => undef);

    return sub {
        my $answer = $change->(@_);
        return { %$answer, headers => [@{$answer->{headers} // []},
                                       'Retry-After' => $seconds] };
    };
}

# ------------------------------------------------------------ what takes long

# Silence, and what acmectl tries again after 1, 2 and 4 seconds: each with a
# CA and a store of its own, all at once, begun now and looked at at the end.
# [what, resource, answer, status, sentence, seconds at most]
my $stalled = qr/did not finish its reply within 60\.0 s or stalled; try again/;
my @slow = (
    ['a directory that stalls', directory => bytes(stall => 0), 75, $stalled,
     60],
    ['no HTTP at all', newOrder => { raw => "SSH-2.0-dropbear\r\n" }, 75,
     qr/ordering .* broke off/, 30],
    ['an answer cut among its headers', newOrder => bytes(cut => 20), 75,
     qr/ordering .* broke off/, 30],
    ['an answer cut in its body', newOrder => bytes(cut => 300), 75,
     qr/ordering .* broke off/, 30],
    ['no answer', newOrder => { drop => 1 }, 75, qr/ordering .* broke off/,
     30],
    ['503 in HTML', newOrder => html(503), 75, qr/ordering .*503/, 30],
    ['500 and then 404', newOrder => [html(503), html(500), html(404)], 7,
     qr/404/, 30],
    ['a Retry-After without sense', newOrder => problem(429, 'rateLimited',
     'soon', headers => ['Retry-After' => '-7 weeks']), 75, qr/soon/, 30],
    ['a Retry-After beyond all numbers', newOrder => problem(429,
     'rateLimited', 'soon', headers => ['Retry-After' => '9' x 40]), 75,
     qr/soon/, 30],
);
# A stall behind the directory is tried once more, and takes minutes.
push @slow, map {
    ["$_->[0] that stalls", $_->[0], bytes(stall => $_->[1]), 75, $stalled,
     130]
} [newNonce => 20], [newOrder => 300], [certificate => 900]
    if $ENV{ACME_LONG_TESTS};

sub begin_slow
{
    my ($case, $name) = @_;
    my ($what, $resource, $answer) = @$case;
    my $own = ACME::Rig::EvilCA->new($rig, name => $name,
        answers => { $resource => $answer })->start;
    my $config = $rig->write_file("$httpd->{root}/conf/$name.conf",
        $rig->read_file($httpd->config) =~ s/\Q$base\E/$own->base/er
        =~ s/(ACMECACertificateFile ").*"/$1@{[$own->ca_file]}"/r);

    return { case => $case, start => time, name => $name,
        pid => $rig->spawn_sub(sub {
            my $start = time;
            my $r = $rig->run([ACME::Rig::acmectl_path(), '--httpd',
                $httpd->binary, '-d', $httpd->root, '-f', $config, '--json',
                '--store', $rig->path("$name-store"), 'issue', 'a.test'],
                timeout => 280);
            $rig->write_file("$name.out", join "\n", $r->{status},
                             time - $start, $r->{out} . $r->{err});
        }) };
}

sub end_slow
{
    my ($run) = @_;
    my ($what, undef, undef, $status, $like, $most) = @{$run->{case}};

    ACME::Rig::wait_for($most + 30, 'the end of acmectl',
                        sub { !$rig->alive($run->{pid}) });
    my ($got, $seconds, $out) = split /\n/,
        $rig->read_file("$run->{name}.out"), 3;
    subtest $what => sub {
        is $got, $status, "exit status $status";
        like $out, $like, 'the sentence';
        cmp_ok $seconds, '<', $most, sprintf 'in %.1f s', $seconds;
        ok !-e $rig->path("$run->{name}-store/domains"), 'nothing is kept';
    };
    return;
}

my $count = 0;
my @slow_runs = map { begin_slow($_, 'slow-' . ++$count) } @slow;

# ------------------------------------------------------------------- bodies

hostile 'a directory of 10 MB', { directory => { huge => 10_000_000 } },
    fresh => 1, status => 1, like => qr/directory.*(?:65536|64|bytes|large)/;
hostile 'a directory without end', { directory => { endless => 1 } },
    fresh => 1, status => 1, like => qr/directory.*(?:65536|64|bytes|large)/;
hostile 'an order without end', { newOrder => { endless => 1 } },
    status => 1, like => qr/ordering.*(?:65536|64|bytes|large)/;
hostile 'a chain without end', { certificate => { endless => 1 } },
    status => 1, like => qr/certificate.*(?:256|262144|bytes|large)/;
hostile 'a header of 1 MB', { newOrder => headed('X-Pad' => 'x' x 1_000_000) },
    status => 1, like => qr/header/;
hostile '10000 headers',
    { newOrder => headed(map { ("X-$_" => 'y') } 1 .. 10_000) },
    status => 1, like => qr/header/;
hostile 'HTML instead of a directory', { directory => html(200) },
    fresh => 1, status => 1, like => qr/directory/;
hostile 'an empty directory', { directory => { body => '' } },
    fresh => 1, status => 1, like => qr/directory/;
hostile 'HTML instead of an order', { newOrder => html(200) },
    status => 1, like => qr/order/;
hostile 'half a JSON', { newOrder => body('{"status": "pending", "ident') },
    status => 1, like => qr/order/;
hostile 'JSON with bytes that are no UTF-8',
    { newOrder => body("{\"status\": \"\xff\xfe\"}") },
    status => 1, like => qr/order/;
hostile 'JSON with a NUL', { newOrder => body("{\"status\": \"a\\u0000b\"}") },
    status => 1, like => qr/order/;
hostile 'JSON 1000 deep', { newOrder => body('[' x 1000 . ']' x 1000) },
    status => 1, like => qr/order/;
hostile 'JSON 30000 deep', { newOrder => body('{"a":' x 10_000) },
    status => 1, like => qr/order/;
hostile 'a number of 1e999999999',
    { newOrder => body('{"status":1e999999999}') },
    status => 1, like => qr/order/;
hostile 'a member twice',
    { newOrder => body('{"status":"valid","status":"ready"}') },
    status => 1, like => qr/order/;

# ---------------------------------------------------------------- pages, waits

{
    my $r = hostile '503 with Retry-After of an hour',
        { newOrder => html(503, 'Retry-After' => 3600) },
        status => 75, like => qr/ordering .*503/;
    # The next run asks nobody until then; --force does.
    $ca->clear_requests;
    $r = $scene->ends(['issue', 'a.test'], 0, 'a valid one is not due');
    $scene->config(domains => [['a.test', 'new.a.test']]);
    $r = $scene->refuses(['renew'], 75,
        qr/CA asked to wait until \S+Z; --force asks again now/,
        'the next run waits');
    is scalar(my @asked = $ca->requests), 0, 'without asking';
    $scene->config(domains => [['a.test', 'www.a.test']]);
}
hostile '429 with a date', { newOrder => problem(429, 'rateLimited',
        'too many certificates', headers => ['Retry-After' =>
        POSIX::strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime(time + 86_400))]) },
    status => 75, like => qr/too many certificates/;
hostile 'Retry-After of the year 9999', { newOrder => problem(429,
        'rateLimited', 'never', headers => ['Retry-After' =>
        'Fri, 31 Dec 9999 23:59:59 GMT']) },
    status => 75, like => qr/never/;
hostile 'an order that is processed for an hour',
    { finalize => processing(3600), order => processing(3600) },
    status => 75, like => qr/processing .*come back after/;

# --------------------------------------------------------------------- URLs

my $evil = 'https://evil.test/x';
(my $plain = $base) =~ s/^https/http/;
hostile "a directory with an http URL",
    { directory => with(newOrder => "$plain/new-order") },
    fresh => 1, status => 1, like => qr/https/;
hostile "a directory of another host's URLs",
    { directory => with(map { $_ => $evil } qw(newNonce newOrder newAccount)) },
    fresh => 1, status => 1, like => qr/evil\.test/;
hostile 'an account elsewhere', { newAccount => headed(Location => $evil) },
    new => 1, status => 1, like => qr/evil\.test/;
hostile 'an order elsewhere', { newOrder => headed(Location => $evil) },
    status => 1, like => qr/evil\.test/;
hostile 'an authorization elsewhere',
    { newOrder => with(authorizations => [$evil]) },
    status => 1, like => qr/evil\.test/;
hostile 'finalize elsewhere', { newOrder => with(finalize => $evil) },
    status => 1, like => qr/evil\.test/;
hostile 'a challenge elsewhere', { authz => challenge(url => $evil) },
    status => 1, like => qr/evil\.test/;
hostile 'a certificate elsewhere', { finalize => with(certificate => $evil) },
    status => 1, like => qr/evil\.test/;
hostile 'a certificate by http',
    { finalize => with(certificate => "$plain/certificate/1") },
    status => 1, like => qr/https/;
hostile "a certificate by $_",
    { finalize => with(certificate => $_) },
    status => 1, like => qr/./
    for 'file:///etc/passwd', 'https://localhost@evil.test/', '',
        'https://localhost:1/x', '//evil.test/x';
hostile 'an order without Location', { newOrder => sub {
        my ($request, $honest) = @_;
        return { %{$honest->()}, headers => [] } } },
    status => 1, like => qr/no Location/;
hostile 'a redirect of the directory to itself',
    { directory => { status => 302, headers => [Location => $ca->directory] } },
    fresh => 1, status => 1, like => qr/302/;
hostile 'a redirect to another host',
    { directory => { status => 302, headers => [Location => $evil] } },
    fresh => 1, status => 1, like => qr/evil\.test/;
hostile 'a redirect to http',
    { directory => { status => 302, headers => [Location => "$plain/dir"] } },
    fresh => 1, status => 1, like => qr/https/;
hostile 'a redirect of a POST',
    { newOrder => { status => 307, headers => [Location => "$base/order/1"] } },
    status => 1, like => qr/307/;

# ------------------------------------------------------------------- nonces

hostile 'no nonce', { newNonce => { status => 204, nonce => undef } },
    status => 1, like => qr/nonce/i, within => 20;
hostile 'a nonce that is none', { newNonce => { nonce => 'a b"c' } },
    status => 1, like => qr/nonce/i, within => 20;
hostile 'no nonce is ever good', { newOrder => problem(400, 'badNonce', 'no') },
    status => 75, like => qr/nonce/i, within => 20;

# ------------------------------------------------------------------- orders

hostile 'an order of no known status', { newOrder => with(status => 'banana') },
    status => 1, like => qr/order/;
hostile 'an order without authorizations',
    { newOrder => with(authorizations => undef) },
    status => 1, like => qr/authorizations/;
hostile 'an order for another name', { newOrder => with(identifiers =>
        [map { +{ type => 'dns', value => $_ } } 'a.test', 'evil.test']) },
    status => 1, like => qr/"evil\.test"/;
hostile 'an order for fewer names', { newOrder => with(identifiers =>
        [{ type => 'dns', value => 'a.test' }]) },
    status => 1, like => qr/1 names? instead of 2/;
hostile 'an order that is invalid at once', { newOrder => with(status =>
        'invalid', error => problem(400, 'malformed', 'bad day')->{object}) },
    status => [1, 7], like => qr/bad day/;
hostile 'authorizations that nobody can meet', { authz => with(challenges =>
        [{ type => 'tkauth-01', url => "$base/challenge/1",
           status => 'pending' }]) },
    status => 1, like => qr/http-01/;
hostile 'an authorization for somebody else', { authz => with(identifier =>
        { type => 'dns', value => 'evil.test' }) },
    status => 1, like => qr/evil\.test/;

# ------------------------------------------------------------------- tokens

hostile 'a token ' . (length > 40 ? 'of 300 characters' : "\"$_\""),
    { authz => challenge(token => $_) },
    status => [1, 7], like => qr/token/
    for '../../../../etc/passwd-and-more', 'short', '', 'x' x 300,
        'with space in its middle', "with\nnewline-in-its-middle",
        'ümlaut-in-the-token-of-a-ca', 'percent%2e%2e%2fpercent%2e%2e';

# ------------------------------------------------------------------- chains

# A certificate for the request's key, made as the test says.
sub signed
{
    my ($extension, @args) = @_;
    my $csr;

    return (
        finalize => sub {
            my ($request, $honest) = @_;
            $csr = ACME::Rig::EvilCA::unb64url($request->{payload}{csr});
            return $honest->();
        },
        certificate => sub {
            my ($request, $honest) = @_;
            my $answer = $honest->();
            my $in = $rig->write_file("$dir/mine.der", $csr);
            my $ext = $rig->write_file("$dir/mine.ext", $extension);
            my $leaf = $rig->openssl('x509', '-req', '-inform', 'DER', '-in',
                $in, '-CA', "$dir/issuer.pem", '-CAkey', "$dir/issuer.key",
                '-extfile', $ext, @args);
            $leaf =~ s/.*?(?=-----BEGIN)//s;
            return { %$answer,
                     body => $leaf . $rig->read_file("$dir/issuer.pem") };
        },
    );
}

my $both = 'subjectAltName=DNS:a.test,DNS:www.a.test';
my $key = $rig->read_file("$dir/issuer.key");
my $not_kept = qr/certificate that \S+ sent for a\.test was not kept: /;

hostile 'a private key in front of the chain',
    { certificate => body(sub { $key . $_[0] }) },
    status => 1, like => qr/$not_kept.*"PRIVATE KEY" block/;
hostile 'a private key behind the chain',
    { certificate => body(sub { $_[0] . $key }) },
    status => 1, like => qr/$not_kept.*"PRIVATE KEY" block/;
hostile 'text around the chain',
    { certificate => body(sub { "<script>\n$_[0]" }) },
    status => 1, like => $not_kept;
hostile 'no chain', { certificate => body('') },
    status => 1, like => qr/certificate/;
hostile 'a chain of garbage', { certificate => body(
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n") },
    status => 1, like => $not_kept;
hostile 'a chain that is cut', { certificate => body(sub {
        substr $_[0], 0, length($_[0]) - 100 }) },
    status => 1, like => $not_kept;
{
    my $chain = $ca->foreign_chain('a.test', 'www.a.test');
    hostile "another key's certificate", { certificate => body($chain) },
        status => 1, like => qr/$not_kept.*key/;
}
hostile 'other names', { signed('subjectAltName=DNS:a.test,DNS:evil.test',
        '-days', 90) },
    status => 1, like => qr/$not_kept.*(?:www\.a\.test|evil\.test)/;
hostile 'one name more', { signed("$both,DNS:evil.test", '-days', 90) },
    status => 1, like => qr/$not_kept.*evil\.test/;
hostile 'one name less', { signed('subjectAltName=DNS:a.test', '-days', 90) },
    status => 1, like => qr/$not_kept.*www\.a\.test/;
hostile 'an expired certificate', { signed($both, '-days', -1) },
    status => 1, like => qr/$not_kept.*(?:expired|date|until|valid)/i;
hostile 'the issuer in front', { certificate => body(sub {
        my @certs = $_[0] =~ /(-----BEGIN.*?END CERTIFICATE-----\n)/sg;
        return join '', reverse @certs }) },
    status => 1, like => $not_kept;
hostile 'an issuer that is not', { certificate => body(sub {
        my ($leaf) = $_[0] =~ /(-----BEGIN.*?END CERTIFICATE-----\n)/s;
        return $leaf . $rig->read_file("$dir/tls/ca.pem") }) },
    status => 1, like => $not_kept;
hostile '500 certificates', { certificate => body(sub { $_[0] x 250 }) },
    status => 1, like => qr/certificate/;

# ----------------------------------------------------------------- problems

# What the CA says is shown, made harmless: no terminal is controlled, no
# line of a log is forged.
{
    my $detail = "\e[31mred\e[0m\a \r\n[acme:error] forged\x{202e}\x{9b}2J"
        . "\x{7f}%s%n" . 'x' x 5000;
    my %answers = (newOrder => problem(403, "odd\e[2J\n", $detail));
    my $r = hostile 'a problem full of control characters', \%answers,
        status => 7, like => qr/\\x1B\[31mred/;
    unlike $r->{out}, qr/\\u00(?:1b|07|0a)/i, 'not even escaped by JSON';
    my $log = $rig->path('log');
    $r = $scene->ctl('--log', "file:$log", 'issue', '--force', 'a.test');
    unlike "$r->{out}$r->{err}", qr/[\x00-\x09\x0b-\x1f\x7f]/, 'as text';
    like $r->{out}, qr/^a\.test: failed: [^\n]*\\x1B\[31mred/, 'one line';
    unlike $rig->read_file($log), qr/^\[acme:error\] forged/m,
        'no line of the log is forged';
    unlike $rig->read_file($log), qr/\e/, 'nor controls a terminal';
    $r = $scene->ctl('status');
    unlike $r->{out}, qr/[\x00-\x09\x0b-\x1f\x7f]/, 'nor does status later';

    hostile 'a problem that is no problem document',
        { newOrder => { status => 400, type => 'application/problem+json',
                        body => '[1, 2' } },
        status => [1, 7], like => qr/ordering .*400/;
    hostile 'a problem with fields of other types',
        { newOrder => { status => 400, type => 'application/problem+json',
            object => { type => 7, detail => ['x'], status => 'y',
                        subproblems => { a => 1 } } } },
        status => [1, 7], like => qr/ordering .*400/;
    hostile 'subproblems of strangers', { newOrder => problem(400,
            'rejectedIdentifier', 'some names', subproblems => [
            { type => 'urn:ietf:params:acme:error:caa', detail => "no\e[1m",
              identifier => { type => 'dns', value => "www.a.test\n\e[2J" } }
            ]) },
        status => 7, like => qr/some names/;
    hostile 'an account that is deactivated',
        { newAccount => with(status => 'deactivated') }, new => 1,
        status => 7, like => qr/account .* is deactivated/;
    hostile 'terms that have changed', { newOrder => problem(403,
            'userActionRequired', 'read the new terms', instance =>
            "$base/terms", headers => [Link =>
            "<$base/terms>;rel=\"terms-of-service\""]) },
        status => 7, like => qr/read the new terms/;
    hostile 'accounts that never exist',
        { newOrder => problem(400, 'accountDoesNotExist', 'who are you') },
        status => [1, 7], like => qr/who are you/;
}

# ---------------------------------------------------------------------- TLS

# Its own certificate is another host's, or expired.
for my $case ([other => { names => ['other.test'] }, qr/other|name|host/i],
              [expired => { days => -1 }, qr/expired/i]) {
    my ($name, $tls, $like) = @$case;
    my $wrong = ACME::Rig::EvilCA->new($rig, name => "tls-$name",
                                       tls => $tls)->start;
    $scene->config(domains => [['a.test']], ca => [$wrong->directory],
                   ca_file => $wrong->ca_file);
    $scene->refuses(['issue', '--force', 'a.test'], 1, $like,
                    "the CA's certificate: $name");
    is scalar(my @asked = $wrong->requests), 0, 'nothing was said to it';
    $wrong->stop;
}

# ----------------------------------------------------------------- and after

$scene->config(domains => [['a.test', 'www.a.test']]);
is $scene->serves_ok('a.test', 'a.test is served all the time')->{serial},
    $serial, 'with the certificate of the beginning';
end_slow($_) for @slow_runs;
$ca->restart;
$scene->ends(['issue', '--force', 'a.test'], 0, 'once the CA is honest');
isnt $scene->serves_ok('a.test')->{serial}, $serial, 'there is a new one';
$scene->store_ok('after everything');
is $httpd->faults, '', 'no child of httpd crashed';
done_testing;
