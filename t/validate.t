#!/usr/bin/perl

# The validator: is what was asked for really served? Asked of real httpds,
# with the CA's certificates and with others, and of servers that are evil.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Errno qw(EINTR);
use IO::Socket::INET;
use IO::Socket::IP;
use IO::Socket::SSL;
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(time sleep);

use ACME::Rig;
use ACME::Rig::Responder;
use ACME::Scene;

my $asker = ACME::Rig::builddir() . '/t/lib/validator_ask';
my $rig = ACME::Rig->new;
my $ocsp = ACME::Rig::Responder->new($rig);
my $scene = ACME::Scene->new(rig => $rig, pebble => { ocsp => $ocsp->url,
    key_algorithm => 'rsa' });
my $httpd = $scene->httpd;
my ($http, $https) = ($httpd->http, $httpd->https);
my @rows = qw(tcp tls protocol name expiry chain verify key-type http redirect
              hsts stapling challenge);

# ------------------------------------------------------------------- asking

# Ask of targets; what is not said of their addresses is this httpd. Options:
# those of a run (timeout, deadline, live). Returns validator_ask's object.
sub ask
{
    my ($targets, %opt) = @_;
    my $file = $rig->write_file('ask.json', JSON::PP->new->encode({
        targets => [map { { http => ["127.0.0.1 $http"],
            https => ["127.0.0.1 $https"], %$_ } } @$targets], %opt }));
    my $r = $rig->run([$asker, $file], timeout => 60);
    my $json = eval { JSON::PP->new->utf8->decode($r->{out}) } // {};

    diag "validator_ask: status $r->{status}: $r->{out}$r->{err}"
        if !$json->{checks};
    return { %$json, status => $r->{status} };
}

# The answers of one target: { check => { ok, required, detail } }.
sub answers
{
    my ($target, %opt) = @_;
    my $r = ask([$target], %opt);

    return { map { $_->{check} => $_ } @{$r->{checks}} };
}

# A check of a target has that answer, and its detail fits.
sub says
{
    my ($answers, $check, $ok, $like, $what) = @_;
    my $got = $answers->{$check} // {};

    ok(($got->{ok} // 'none') eq $ok && ($got->{detail} // '') =~ $like, $what)
        or diag "$check: ", JSON::PP->new->canonical->encode($got);
    return;
}

# All of these checks have that answer.
sub all_say
{
    my ($answers, $checks, $ok, $what) = @_;
    my %got = map { $_ => $answers->{$_}{ok} } @$checks;

    is_deeply \%got, { map { $_ => $ok } @$checks }, $what
        or diag join "\n", map { "$_: $answers->{$_}{detail}" } @$checks;
    return;
}

# -------------------------------------------------------------------- httpd

# A virtual host on both ports with a certificate of make_tls. Options: lines
# for http, https and both.
sub site
{
    my ($name, $tls, %opt) = @_;
    my $both = $opt{both} // '';

    return <<"END";
<VirtualHost *:$http>
    ServerName $name
    $both
@{[$opt{http} // '']}
</VirtualHost>
<VirtualHost *:$https>
    ServerName $name
    $both
    SSLEngine on
    SSLCertificateFile "$tls->{cert}"
    SSLCertificateKeyFile "$tls->{key}"
@{[$opt{https} // '']}
</VirtualHost>
END
}

my @names = (['first.test', '*.wild.test'],
             [map { "$_.test" } qw(like both down missing login circle pingpong
    cookie moved lossy queryless elsewhere hsts zero wrong leaks old steps known
    known12)]);
my $good = $rig->make_tls('good', names => [map { @$_ } @names]);
my $rsa = $rig->make_tls('rsa', names => ['rsa.test'], key => 'rsa');
my $expired = $rig->make_tls('expired', names => ['expired.test'], days => -1);
my $hsts = 'Header always set Strict-Transport-Security "max-age=15552000"';

sub managed_text
{
    return <<"END";
<ACMEDomain secure.test>
    ACMERequireHTTPS permanent
</ACMEDomain>
<VirtualHost *:$http>
    ServerName secure.test
</VirtualHost>
<VirtualHost *:$https>
    ServerName secure.test
    SSLEngine on
    SSLUseStapling on
    $hsts
</VirtualHost>
ACMEDomain late.test
<VirtualHost *:$http>
    ServerName late.test
    Redirect permanent / https://late.test/
</VirtualHost>
<VirtualHost *:$https>
    ServerName late.test
    SSLEngine on
</VirtualHost>
END
}

sub unmanaged_text
{
    my $rewrite = "RewriteEngine on\n    RewriteRule";

    return join '', site('first.test', $good,
            both => 'ServerAlias *.wild.test'), site('like.test', $good),
        site('rsa.test', $rsa), site('expired.test', $expired),
        site('old.test', $good, https => "SSLProtocol TLSv1.1\n"
            . 'SSLCipherSuite ALL:@SECLEVEL=0'),
        site('both.test', $good, http => 'Redirect 503 /',
            https => 'Redirect 503 /'),
        site('down.test', $good, https => 'Redirect 503 /'),
        site('missing.test', $good, https => 'Redirect 404 /'),
        site('login.test', $good, http => 'Redirect 403 /',
            https => 'Redirect 403 /'),
        site('circle.test', $good,
            https => "$rewrite ^ https://circle.test%{REQUEST_URI} [R,L]"),
        site('pingpong.test', $good,
            http => 'Redirect / https://pingpong.test/',
            https => 'Redirect / http://pingpong.test/'),
        site('cookie.test', $good, https => "Header always set Set-Cookie a=b\n"
            . "$rewrite ^ https://cookie.test%{REQUEST_URI} [R,L]"),
        site('steps.test', $good, https =>
            "$rewrite ^/\$ /1 [R,L]\nRewriteRule ^/([123])\$ /1\$1 [R,L]"),
        site('moved.test', $good, http => 'Redirect 307 / https://moved.test/'),
        site('lossy.test', $good,
            http => "$rewrite ^ https://lossy.test/ [R=301,L]"),
        site('queryless.test', $good, http => "$rewrite ^(.*) "
            . 'https://queryless.test$1? [R=301,L]'),
        site('elsewhere.test', $good,
            http => 'Redirect permanent / https://www.elsewhere.test/'),
        site('hsts.test', $good, https => $hsts),
        site('zero.test', $good, https => $hsts =~ s/\d+/0/r),
        site('wrong.test', $good, https => $hsts =~ s/\d+/many/r),
        site('leaks.test', $good, http => $hsts, https => $hsts),
        site('known.test', $good, https => known()),
        site('known12.test', $good,
            https => known() . 'SSLProtocol TLSv1.2');
}

# Clients that show a certificate, and nobody else.
sub known { return "SSLVerifyClient require\nSSLCACertificateFile $good->{ca}\n" }

my $six = IO::Socket::IP->new(LocalHost => '::1', Listen => 1) ? 1 : 0;
my $listen = $six ? "Listen [::1]:$http\nListen [::1]:$https\n" : '';

$scene->config(text => $listen . "SSLStaplingCache shmcb:@{[$httpd->root]}/run/st(65536)\n"
    . managed_text() . unmanaged_text());
my $ca = $scene->ca;
$ocsp->speak_for(map { $ca->manage($_) } '/intermediates/0',
                 '/intermediate-keys/0')->start;
$scene->start;
$scene->ends(['issue', 'secure.test'], 0, 'a certificate is issued');
my $live = $httpd->root . '/run/acme-live';

my %secure = (name => 'secure.test', managed => 1, redirect => 1, hsts => 1,
    stapling => 1, key_type => 'P-256', roots => $ca->roots_file,
    chain => ACME::Rig->read_file($scene->file('secure.test',
                                               'fullchain.pem')));

# ---------------------------------------------------------------- all right

# A host that is as it should be: every row says so, in order, and nothing
# failed.
{
    my $r = ask([\%secure], live => $live);
    is_deeply [map { $_->{check} } @{$r->{checks}}], \@rows,
        'the rows in their order';
    is_deeply [grep { $_->{ok} != 1 } @{$r->{checks}}], [],
        'a host that is as it should be passes all of them';
    is $r->{failed}, undef, '... so nothing failed';
    is $r->{progress}, scalar(@rows), '... and progress was told of each';
    cmp_ok $r->{seconds}, '<', 5, '... at once';
    is scalar(grep { $_->{detail} !~ /^127\.0\.0\.1:\d+: \S/ }
              @{$r->{checks}}), 0, '... each with the address'
        or diag join "\n", map { $_->{detail} } @{$r->{checks}};
}

# A private CA whose root is not known here is no failure; no opinion needs
# none.
{
    my $a = answers({ %secure, roots => undef, redirect => -1, hsts => -1,
                      chain => undef, key_type => undef });
    says($a, 'verify', -1, qr/2 certificates are right, but their issuer Pebble/,
        'an unknown root cannot be judged');
    all_say($a, [qw(chain key-type redirect hsts)], -1,
        'what is not said to be wanted is not judged');
    says($a, 'redirect', -1, qr/http redirects to https with status 308/,
        '... but told');
}

# ------------------------------------------------------- the certificate

{
    my $a = answers({ %secure, name => 'first.test', chain => $secure{chain} });
    says($a, 'name', 1, qr/covers first\.test/, 'the certificate covers a name');
    says($a, 'chain', 0, qr/certificate 1 of the chain is not the one issued: /,
        'another certificate than the one issued');
    is $a->{chain}{required}, 1, '... is a failure that counts';
    says($a, 'key-type', 1, qr/the key is P-256/, 'the key is of its type');

    $a = answers({ name => 'first.test', chain => ACME::Rig->read_file(
        $good->{cert}) . ACME::Rig->read_file($good->{ca}) });
    says($a, 'chain', 0, qr/has 1 certificates, the one issued has 2/,
        'a chain that is cut short');
    $a = answers({ name => 'first.test', roots => $good->{ca},
                   chain => ACME::Rig->read_file($good->{cert}) });
    says($a, 'chain', 1, qr/of 1 certificates/, 'a chain of one');
    says($a, 'verify', 1, qr/up to a trust root/, 'a root that is given');
    says($a, 'protocol', 1, qr/TLSv1\.3; TLS 1\.0 and 1\.1 are refused/,
        'the protocol is new');

    $a = answers({ name => 'other.example' });
    says($a, 'name', 0, qr/is for \S+, not for other\.example/,
        'a certificate for another name');
    $a = answers({ name => 'a.b.wild.test' });
    says($a, 'name', 0, qr/not for a\.b\.wild\.test/, 'a wildcard is one label');
    $a = answers({ name => '*.wild.test' });
    says($a, 'name', 1, qr/covers acmectl-validate\.wild\.test/,
        'a wildcard is asked for as a name below it');

    $a = answers({ name => 'rsa.test', key_type => 'P-256' });
    says($a, 'key-type', 0, qr/the key is RSA-2048, not P-256/,
        'a key of another type');
    is $a->{'key-type'}{required}, 0, '... is not required';

    $a = answers({ name => 'expired.test', roots => $expired->{ca} });
    says($a, 'expiry', 0, qr/expired at \d{4}-\S+, \d\S* (?:hours|days) ago/,
        'a certificate that expired');
    says($a, 'verify', 0, qr/certificate 1 of the chain: .*expired/,
        '... does not verify');

    $a = answers({ name => 'old.test' });
    says($a, 'protocol', 0, qr/TLSv1\.1 is the best it offers/,
        'TLS 1.1 alone is too little');
    says($a, 'tls', 1, qr/TLSv1\.1 with/, '... though it is a handshake');
}

# A managed host that still shows the stand-in is not served.
{
    my $a = answers({ name => 'late.test', managed => 1 }, live => $live);
    says($a, 'verify', 0, qr/signed by itself/, 'the stand-in is no certificate');
    says($a, 'http', 0, qr/https answers GET \/ with status 503/,
        '... and its page none');
    says($a, 'challenge', 1, qr/a challenge is answered/,
        'a catch-all redirect does not keep mod_acme from answering');
}

# ------------------------------------------------------------ http and https

{
    my %wanted = (
        'like.test' => [1, qr/by https with status 200, by http with 200/],
        'both.test' => [-1, qr/503; http is broken, too/],
        'down.test' => [0, qr/https answers GET \/ with status 503; http answers with 200/],
        'missing.test' => [0, qr/by https with status 404, by http with 200/],
        'login.test' => [1, qr/by https with status 403, by http with 403/],
        'circle.test' => [0, qr{goes in circles: redirect 1 leads back to https://circle.test/}],
        'pingpong.test' => [0, qr{redirect 2 leads back to https://pingpong.test/}],
        'cookie.test' => [-1, qr/goes in circles/],
        'moved.test' => [1, qr/by https with status 200, by http with 307/],
        'steps.test' => [0, qr/by https with status 302, by http with 200/],
    );
    my $r = ask([map { { name => $_ } } sort keys %wanted]);
    my %got = map { $_->{name} => $_ } grep { $_->{check} eq 'http' }
        @{$r->{checks}};

    for my $name (sort keys %wanted) {
        my ($ok, $like) = @{$wanted{$name}};
        ok $got{$name}{ok} == $ok && $got{$name}{detail} =~ $like,
            "http: $name is $ok" or diag $got{$name}{detail};
    }
    is $r->{failed}, 'http', 'the first one that is required has failed';
}

# A host that lets in only clients that it knows is no failure: nobody can
# tell what it serves to them.
for my $name ('known.test', 'known12.test') {
    my $r = ask([{ name => $name, managed => 1, hsts => 1, stapling => 1,
                   key_type => 'P-256', roots => $good->{ca} }],
                live => $live);
    my %a = map { $_->{check} => $_ } @{$r->{checks}};
    my ($refused, $open) = $name eq 'known.test' ? ('http', 'tls')
                                                 : ('tls', 'tcp');

    says(\%a, $refused, -1, qr/wants a certificate of its clients/,
        "$name: $refused cannot be told");
    says(\%a, $open, 1, qr/./, '... but what comes before it');
    is $r->{failed}, undef, '... and nothing has failed'
        or diag join "\n", map { "$_->{check} $_->{ok} $_->{detail}" }
            @{$r->{checks}};
}

# ---------------------------------------------------------------- redirects

{
    my %wanted = (
        'secure.test' => [1, qr/status 308, path and query kept/],
        'moved.test' => [1, qr/status 307, path and query kept/],
        'like.test' => [0, qr{GET / is answered with status 200, not with a}],
        'lossy.test' => [0, qr{GET /acmectl\S+d=2 is redirected with status 301 to https://lossy.test/\?c=1&d=2, not to}],
        'queryless.test' => [0, qr{GET /acmectl\S+d=2 is redirected}],
        'elsewhere.test' => [0, qr{GET / is redirected .* to https://www.elsewhere}],
        'pingpong.test' => [0, qr{redirect 2 leads back to http://pingpong.test/}],
    );
    for my $wanted (1, 0) {
        my $r = ask([map { { name => $_, redirect => $wanted } }
                     sort keys %wanted]);
        my %got = map { $_->{name} => $_ } grep { $_->{check} eq 'redirect' }
            @{$r->{checks}};
        for my $name (sort keys %wanted) {
            my ($ok, $like) = @{$wanted{$name}};
            my $there = $name !~ /^(?:like|elsewhere)/;
            ($ok, $like) = (!$there, $there ? qr/which was not wanted/
                                            : qr/does not redirect to https/)
                if !$wanted;
            ok $got{$name}{ok} == $ok && $got{$name}{detail} =~ $like
                && $got{$name}{required} == $wanted,
                "redirect wanted $wanted: $name is " . ($ok || 0)
                or diag "$got{$name}{ok}: $got{$name}{detail}";
        }
    }
}

# --------------------------------------------------------------------- hsts

{
    my %wanted = (
        'hsts.test' => [1, 0, qr/max-age=15552000/],
        'zero.test' => [0, 1, qr/max-age=0/],
        'wrong.test' => [0, 1, qr/is malformed: max-age=many/],
        'like.test' => [0, 1, qr/is not sent/],
        'leaks.test' => [0, 0, qr/is sent(?: without TLS|, with max-age)/],
    );
    for my $wanted (1, 0) {
        my $r = ask([map { { name => $_, hsts => $wanted } }
                     sort keys %wanted]);
        my %got = map { $_->{name} => $_ } grep { $_->{check} eq 'hsts' }
            @{$r->{checks}};
        for my $name (sort keys %wanted) {
            my ($ok, $like) = ($wanted{$name}[$wanted ? 0 : 1],
                               $wanted{$name}[2]);
            ok $got{$name}{ok} == $ok && $got{$name}{detail} =~ $like,
                "hsts wanted $wanted: $name is $ok"
                or diag $got{$name}{detail};
        }
    }
}

# ----------------------------------------------------------------- stapling

{
    my $a = answers({ name => 'like.test', stapling => 1 });
    says($a, 'stapling', -1, qr/names no OCSP responder/,
        'without a responder there is nothing to staple');
    $a = answers({ %secure, stapling => 0 });
    says($a, 'stapling', 0, qr/was not wanted/,
        'a response that was not wanted is told');
    is $a->{stapling}{required}, 0, '... and does not count';
}

# ---------------------------------------------------------------- challenge

{
    my $a = answers({ %secure });
    says($a, 'challenge', 1, qr/unknown token is answered with status 404/,
        'without the live segment an unknown token is tried');
    $a = answers({ name => 'late.test', managed => 1 });
    says($a, 'challenge', -1, qr/status 301; .* cannot be told/,
        '... and what another answers it says nothing');
    $a = answers({ name => 'like.test' });
    says($a, 'challenge', -1, qr/does not manage/,
        'an unmanaged host is not asked');
    $a = answers({ %secure }, live => "$live-none");
    says($a, 'challenge', 0, qr/no challenge can be published in .*-none: /,
        'no live segment: no challenge would be answered');
    my ($left) = $rig->run(['strings', '-n', '32', "$live.challenges"])->{out}
        =~ /acmectl-validate/;
    is $left, undef, 'no token is left behind';
}

# ---------------------------------------------------------------- addresses

{
    my $port = $rig->port;
    my $a = answers({ %secure, https => ["0.0.0.0 $https"],
                      http => ["* $http"] });
    all_say($a, [qw(tcp tls name http redirect)], 1,
        'any address is asked on loopback');
    $a = answers({ name => 'like.test', https => ["127.0.0.1 $https",
        "127.0.0.1 $port"] });
    says($a, 'tcp', 0, qr/^127\.0\.0\.1:$port: the connection failed: /,
        'of several addresses the one that fails is named');
    says($a, 'tls', -1, qr/^127\.0\.0\.1:$port: not asked/,
        '... and not asked any further');
    $a = answers({ name => 'like.test', https => ["127.0.0.1 $http"] });
    says($a, 'tls', 0, qr/TLS handshake failed/, 'http where TLS should be');
    all_say($a, [grep { !/^(?:tcp|tls|redirect)$/ } @rows], -1,
        '... is one failure, and the rest is not asked');
    $a = answers({ name => 'like.test', http => ["127.0.0.1 $port"] });
    says($a, 'tcp', 0, qr/127\.0\.0\.1:$port/, 'no http, though it should be');
    says($a, 'http', 1, qr/status 200; there is no http/,
        '... and nothing to compare https with');
    $a = answers({ name => 'like.test', http => [] });
    all_say($a, [qw(tcp http)], 1, 'a name without http');
    SKIP: {
        skip 'no IPv6', 2 if !$six;
        $a = answers({ name => 'like.test', https => [":: $https"],
                       http => ["::1 $http"] });
        all_say($a, [qw(tcp tls name http)], 1, 'IPv6 is asked, too');
        says($a, 'tls', 1, qr/^\[::1\]:$https: /, '... in its notation');
    }
    $a = answers({ name => 'like.test', https => ['example.org 443'] });
    says($a, 'tcp', 0, qr/no IP address/, 'names are not resolved');
}

# -------------------------------------------------------------- evil servers

# A server on a port of its own: a sub that gets each connection; with tls
# behind a handshake and the request.
sub evil
{
    my ($sub, %opt) = @_;
    my $port = $rig->port;
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $port, Listen => 64, ReuseAddr => 1) or die $!;

    $rig->spawn_sub(sub {
        local $SIG{PIPE} = 'IGNORE';
        local $SIG{CHLD} = 'IGNORE';
        while (my $client = $listener->accept) {
            my $pid = fork() // die $!;
            next if $pid;
            if ($opt{tls}) {
                $client = IO::Socket::SSL->start_SSL($client, SSL_server => 1,
                    SSL_cert_file => $opt{cert} // $good->{cert},
                    SSL_key_file => $good->{key}) or POSIX::_exit(0);
                sysread $client, my $request, 4096;
            }
            $sub->($client);
            POSIX::_exit(0);
        }
    });
    close $listener;
    return $port;
}

# Say nothing until the client has gone.
sub idle { my ($client) = @_; while (sysread $client, my $any, 4096) { } return }

sub for_ever
{
    my ($client, $text, $pause) = @_;
    my $until = time + 30;

    while (time < $until) {
        my $n = syswrite $client, $text;
        return if !$n && $! != EINTR;
        sleep $pause if $pause;
    }
    return;
}

{
    my $flood = $rig->write_file('flood.pem', join '',
        map { ACME::Rig->read_file($_) } $good->{cert}, ($good->{ca}) x 400);
    my $head = "HTTP/1.1 200 OK\r\n";
    my %evil = (
        'says nothing' => [\&idle, 'tls',
            qr/handshake did not end in time; 2\.0 s were allowed/],
        'closes at once' => [sub { }, 'tls', qr/closed the connection/],
        'speaks garbage' => [sub { for_ever($_[0], 'garbage' x 999) }, 'tls',
            qr/handshake failed/],
        'drips' => [sub { for_ever($_[0], "\x16\x03\x01\x40\x00\x02", 0.01) },
            'tls', qr/handshake/],
        'floods with certificates' => [sub { }, 'tls', qr/TLS handshake/,
            tls => 1, cert => $flood],
        'never answers' => [\&idle, 'http',
            qr/reply did not end in time/, tls => 1],
        'closes early' => [sub { }, 'http', qr/closed the connection/,
            tls => 1],
        'cuts its reply' => [sub { syswrite $_[0], "HTTP/1." }, 'http',
            qr/closed the connection/, tls => 1],
        'answers with garbage' => [sub { for_ever($_[0], "\0garbage\r\n\r\n") },
            'http', qr/is no HTTP/, tls => 1],
        'has an endless head' => [sub { syswrite $_[0], $head;
            for_ever($_[0], "A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n") },
            'http', qr/head has more than 16384 bytes/, tls => 1],
        'drips its head' => [sub { syswrite $_[0], $head;
            for_ever($_[0], 'A', 0.05) }, 'http',
            qr/reply did not end in time/, tls => 1],
        'has interim replies only' => [sub {
            for_ever($_[0], "HTTP/1.1 103 Early Hints\r\n\r\n") }, 'http',
            qr/nothing but interim|more than/, tls => 1],
    );
    my %port = map { my @how = @{$evil{$_}}; $_ => evil($how[0], @how[3 .. $#how]) }
        keys %evil;
    my @names = sort keys %evil;
    my $r = ask([map { { name => 'like.test',
        https => ["127.0.0.1 $port{$_}"] } } @names], timeout => 2);

    is $r->{error}, undef, 'evil servers do not end the run';
    cmp_ok $r->{seconds}, '<', 9, '... nor keep it for longer than they may';
    for my $i (0 .. $#names) {
        my ($undef, $check, $like) = @{$evil{$names[$i]}};
        my ($got) = grep { $_->{check} eq $check }
            @{$r->{checks}}[$i * @rows .. ($i + 1) * @rows - 1];
        ok $got->{ok} == 0 && $got->{detail} =~ $like,
            "a server that $names[$i]" or diag $got->{detail};
    }

    # The body of a page is nobody's business, however long.
    my $huge = evil(sub { syswrite $_[0], "$head\r\n";
                          for_ever($_[0], 'x' x 65536) }, tls => 1);
    my $a = answers({ name => 'like.test', https => ["127.0.0.1 $huge"] },
                    timeout => 2);
    says($a, 'http', 1, qr/status 200/, 'a body without an end is not read');

    # A plain one, too, with a token: as much as is needed is read.
    $huge = evil(sub { sysread $_[0], my $request, 4096;
        syswrite $_[0], "$head\r\n"; for_ever($_[0], 'x' x 65536) });
    $a = answers({ name => 'like.test', managed => 1,
        http => ["127.0.0.1 $huge"] }, timeout => 2, live => $live);
    says($a, 'challenge', 0, qr/answered by somebody else/,
        'a challenge answered by a flood is not answered');
}

# Behind a restart an old child may answer once more: while httpd settles, a
# failure that counts is looked at again.
{
    my $ready = time + 1;
    my $port = evil(sub {
        syswrite $_[0], 'HTTP/1.1 ' . (time < $ready ? 503 : 200)
            . " X\r\n\r\n" }, tls => 1);
    my $target = { name => 'like.test', https => ["127.0.0.1 $port"] };
    my $r = ask([$target]);
    is $r->{failed}, 'http', 'a failure counts at once';
    $r = ask([$target], settle => 5);
    is $r->{failed}, undef, '... unless httpd has time to settle';
    is $r->{progress}, scalar(@rows), '... and each answer is told once';
    $r = ask([{ %$target, name => 'other.example' }], settle => 1);
    is $r->{failed}, 'name', '... and what does not get better has failed';
}

# What a server writes cannot forge a line, a colour or a sentence.
{
    my $port = evil(sub { syswrite $_[0], "HTTP/1.1 301 X\r\nLocation: "
        . "http://\e[31mx\r\nStrict-Transport-Security: \x01\r\n\r\n" });
    my $a = answers({ name => 'like.test', redirect => 1,
                      http => ["127.0.0.1 $port"] });
    is scalar(grep { $_->{detail} =~ /[^\x20-\x7e]/ } values %$a), 0,
        'details are printable';
    is $a->{redirect}{ok}, 0, '... and such a redirect is none';
}

# ------------------------------------------------------------- the children

# The processes below one.
sub children
{
    my ($parent) = @_;

    return map { m{/proc/(\d+)/} } grep {
        (ACME::Rig->read_file($_) // '') =~ /^\d+ \(.*\) \S (\d+)/s
            && $1 == $parent } glob '/proc/[0-9]*/stat';
}

# Start a run against a server that says nothing; do something with the
# children; return what came out.
sub disturbed
{
    my ($sub, %opt) = @_;
    my $silent = evil(\&idle);
    my $out = $rig->path('disturbed.json');
    my $file = $rig->write_file('ask.json', JSON::PP->new->encode({ %opt,
        targets => [map { { name => "n$_.test",
            https => ["127.0.0.1 $silent"] } } 1 .. 2] }));
    unlink $out;
    my $pid = $rig->spawn([$asker, $file], log => $out);
    my @children;
    ACME::Rig::wait_for(10, 'the children',
        sub { @children = children($pid); @children == 2 });
    # They are the user's before they speak to anybody.
    ACME::Rig::wait_for(10, 'a child that asks', sub {
        my @sockets = grep { (readlink // '') =~ /^socket:/ }
            glob "/proc/$children[0]/fd/*";
        @sockets == 1 });
    $sub->($pid, @children);
    ACME::Rig::wait_for(20, 'the end of the run',
                        sub { !$rig->alive($pid) });
    return JSON::PP->new->utf8->decode(ACME::Rig->read_file($out) || '{}');
}

# A child is nobody, in no group, holds nothing of its parent's, and can get
# nothing back.
{
    my $nobody = getpwnam('nobody') // 65534;
    disturbed(sub {
        my ($pid, @children) = @_;
        my $status = ACME::Rig->read_file("/proc/$children[0]/status");
        like $status, qr/^Uid:\t$nobody\t$nobody\t$nobody\t$nobody$/m,
            'a child is nobody';
        like $status, qr/^Groups:\s*$/m, '... in no group';
        like $status, qr/^NoNewPrivs:\t1$/m, '... for good';
        my @fds = map { m{(\d+)$} } glob "/proc/$children[0]/fd/*";
        is scalar(grep { $_ > 2 } @fds), 2,
            '... and holds a pipe and a connection' or diag "@fds";
    }, timeout => 1);
}

# A child that dies is told, and nothing is taken for an answer.
{
    my $r = disturbed(sub { kill 'KILL', $_[1] }, timeout => 3);
    like $r->{error}, qr/validates was killed by signal 9 while it asked tcp of n\d\.test/,
        'a child that is killed';
    is_deeply $r->{checks}, [], '... leaves no answers';
}

# A child that hangs is killed when the time is over; what it owes has
# failed.
{
    my $r = disturbed(sub { kill 'STOP', @_[1 .. 2] }, timeout => 1,
                      deadline => 2);
    is $r->{error}, undef, 'a child that hangs';
    is $r->{failed}, 'tcp', '... has failed';
    is scalar(grep { $_->{ok} != ($_->{required} ? 0 : -1)
        || $_->{detail} !~ /no answer within 2\.0 s/ } @{$r->{checks}}), 0,
        '... in everything that is required';
    is scalar(@{$r->{checks}}), 2 * @rows, '... all of it told';
    cmp_ok $r->{seconds}, '<', 4, '... in time';
}

# If the parent dies, so do they.
{
    my @left;
    disturbed(sub { my ($pid, @children) = @_;
        kill 'KILL', $pid;
        eval { ACME::Rig::wait_for(5, 'the children',
            sub { !grep { ACME::Rig::exists_pid($_) } @children }); 1 }
            or @left = @children;
    }, timeout => 3);
    is_deeply \@left, [], 'children do not outlive their parent';
}

# The deadline holds for all of it: what it leaves no time for is told.
{
    my $silent = evil(\&idle);
    my $r = ask([map { { name => "n$_.test", https => ["127.0.0.1 $silent"] } }
                 1 .. 40], timeout => 1, deadline => 2);
    cmp_ok $r->{seconds}, '<', 4, 'forty silent servers within the deadline';
    like $r->{checks}[-1 * @rows]{detail}, qr/time for all checks is up|no answer within/,
        '... of which the last ones had no time';
}

# A file of roots that is none is the caller's fault, not an answer.
{
    my $r = ask([{ name => 'like.test', roots => '/nowhere/roots.pem' }]);
    like $r->{error}, qr{/nowhere/roots\.pem}, 'no file of roots';
    $r = ask([{ name => 'like.test', roots => $rig->write_file('r', "x\n") }]);
    like $r->{error}, qr/no certificate among the trust roots/,
        'a file of roots without any';
    $r = ask([]);
    is_deeply $r->{checks}, [], 'nothing to ask, nothing answered';
}

# -------------------------------------------------------------------- speed

# A hundred names take no time to speak of.
{
    my $r = ask([map { { name => "n$_.wild.test", redirect => 0, hsts => 0,
        roots => $good->{ca} } } 1 .. 100]);
    diag sprintf '100 names: %.2f s', $r->{seconds};
    cmp_ok $r->{seconds}, '<', 6, 'a hundred names at once';
    is scalar(grep { $_->{check} eq 'verify' && $_->{ok} == 1 }
              @{$r->{checks}}), 100, '... every one is answered';
}

done_testing;
