#!/usr/bin/perl

# http-01 inside httpd: an outstanding token is answered whatever else a
# virtual host does with requests, and nothing else is touched.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use IO::Socket::INET;

use ACME::Rig;
use ACME::Rig::Httpd;

ACME::Rig::skip_unless_able(qw(openssl curl));

my $PREFIX = '/.well-known/acme-challenge';
my $TOKEN = 'LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0';
my $THUMB = '9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI';
my $KEYAUTH = "$TOKEN.$THUMB";
my $OTHER = 'evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA';

# Each kind of virtual host: its lines and the status that it gives to a
# token that is not outstanding. ROOT, DEAD and NAME are filled in.
my @HOSTS = (
    plain => 404, '',
    fallback => 200, 'FallbackResource /index.html',
    alias => 404, 'Alias "/.well-known" "ROOT/elsewhere"',
    deflate => 404, 'SetOutputFilter DEFLATE',
    redirect => 301, 'Redirect permanent / https://NAME/',
    rewrite => 302, "RewriteEngine on\nRewriteRule ^ https://NAME/ [R,L]",
    forbid => 403, "RewriteEngine on\nRewriteRule ^ - [F]",
    gone => 410, "RewriteEngine on\nRewriteRule ^/\\.well-known - [G]",
    proxy => 503, 'ProxyPass / http://127.0.0.1:DEAD/',
    balancer => 503, "<Proxy balancer://b>\nBalancerMember "
        . "http://127.0.0.1:DEAD\n</Proxy>\nProxyPass / balancer://b/",
    denied => 403, "<Location />\nRequire all denied\n</Location>",
    auth => 401, "<Location />\nAuthType Basic\nAuthName a\n"
        . "AuthUserFile /dev/null\nRequire valid-user\n</Location>",
    dots => 403, "<LocationMatch \"/\\.\">\nRequire all denied\n"
        . '</LocationMatch>',
    dirdots => 403, "<DirectoryMatch \"/\\.\">\nRequire all denied\n"
        . '</DirectoryMatch>',
    limit => 403, "<Location />\n<LimitExcept OPTIONS>\nRequire all denied\n"
        . "</LimitExcept>\n</Location>",
    expires => 404, "Header always set Strict-Transport-Security max-age=1\n"
        . 'ErrorDocument 404 /index.html',
    handler => 200, "<Location />\nSetHandler server-status\n</Location>",
    # mod_md has this name, too, and refuses unknown tokens, in
    # post_read_request.
    managed => 404, '',
);

my $rig = ACME::Rig->new;
my $live_put = ACME::Rig::builddir() . '/t/lib/live_put';
plan skip_all => "$live_put is not built" if !-x $live_put;

sub names
{
    return map { "$HOSTS[3 * $_].test" } 0 .. @HOSTS / 3 - 1;
}

sub vhosts
{
    my ($httpd, $dead) = @_;
    my ($http, $https, $root) = ($httpd->http, $httpd->https, $httpd->root);
    my $text = <<"END";
StartServers 1
MDCertificateAuthority https://127.0.0.1:$dead/directory
MDCertificateAgreement accepted
MDContactEmail admin\@managed.test
MDStoreDir $root/md
MDomain managed.test
MDPortMap 80:$http 443:$https
ProxyTimeout 2
Protocols h2c h2 http/1.1
CustomLog "$root/logs/access_log" "%v %m %U %>s %X"
<Directory />
    Require all granted
</Directory>
END
    my @hosts = @HOSTS;
    while (my ($name, $status, $lines) = splice @hosts, 0, 3) {
        $lines =~ s/ROOT/$root/g;
        $lines =~ s/DEAD/$dead/g;
        $lines =~ s/NAME/$name.test/g;
        $text .= "<VirtualHost *:$http>\nServerName $name.test\nACMEDomain\n"
            . "$lines\n</VirtualHost>\n";
    }
    return $text . <<"END";
<VirtualHost *:$https>
    ServerName tls.test
    SSLEngine on
    ACMEDomain
</VirtualHost>
END
}

sub make_httpd
{
    my ($name, %opt) = @_;
    my $httpd = ACME::Rig::Httpd->new($rig, name => $name,
        more => [qw(deflate filter proxy proxy_http proxy_balancer
                    slotmem_shm lbmethod_byrequests auth_basic authn_core
                    authn_file authz_user status md watchdog http2)], %opt);

    $httpd->write_page('index.html', "the page of $name\n");
    $httpd->write_config(vhosts($httpd, $rig->port));
    return $httpd;
}

sub segment { return $_[0]->root . '/run/acme-live' }

sub live
{
    my ($httpd, @args) = @_;
    my $result = $rig->run([$live_put, segment($httpd), @args]);

    is $result->{status}, 0, "live_put @args[0 .. 0]" or diag $result->{err};
    return $result->{out};
}

sub get
{
    my ($httpd, $host, $token, %opt) = @_;

    return $httpd->get($host, "$PREFIX/$token", %opt);
}

sub is_answered
{
    my ($answer, $what, $length_only) = @_;
    my $h = $answer->{headers} // {};

    subtest $what => sub {
        is $answer->{status}, 200, 'status';
        is $answer->{body}, $length_only ? '' : $KEYAUTH, 'body';
        is $h->{'content-length'}, length $KEYAUTH, 'length';
        is $h->{'content-type'}, 'application/octet-stream', 'type';
        is $h->{'cache-control'}, 'no-store', 'not to be kept';
        is $h->{'content-encoding'}, undef, 'as it is';
        is $h->{location}, undef, 'no redirect';
    };
    return;
}

# A connection on which several requests are sent one after the other.
sub converse
{
    my ($port, @requests) = @_;
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $port, Timeout => 10) or return;
    my @answers;

    for my $request (@requests) {
        print {$sock} $request;
        my $answer = read_answer($sock, $request =~ /^HEAD/) or last;
        push @answers, $answer;
    }
    return @answers;
}

sub read_answer
{
    my ($sock, $no_body) = @_;
    my $data = '';
    my $length;

    local $SIG{ALRM} = sub { die "no answer\n" };
    alarm 15;
    while (1) {
        if ($data =~ /\r\n\r\n/) {
            ($length) = $data =~ /^Content-Length: (\d+)/mi;
            my ($head, $body) = split /\r\n\r\n/, $data, 2;
            last if $no_body || length $body >= ($length // 0);
        }
        last if !sysread $sock, $data, 65_536, length $data;
    }
    alarm 0;
    return $data eq '' ? undef : ACME::Rig::parse_answer($data, 'GET');
}

sub request
{
    my ($method, $path, $host, @lines) = @_;

    return join "\r\n", "$method $path HTTP/1.1", "Host: $host", @lines,
        '', '';
}

# ------------------------------------------------------- all virtual hosts

sub check_hosts
{
    my ($httpd, $mpm) = @_;

    is get($httpd, 'plain.test', $TOKEN)->{status}, 404,
        "$mpm: no token, no answer";
    live($httpd, 'put', $TOKEN, $KEYAUTH, 600);
    for my $i (0 .. @HOSTS / 3 - 1) {
        my ($name, $status) = @HOSTS[3 * $i, 3 * $i + 1];

        is_answered(get($httpd, "$name.test", $TOKEN), "$mpm: $name");
        is get($httpd, "$name.test", $OTHER)->{status}, $status,
            "$mpm: $name keeps its way with other tokens";
    }
    is_answered(get($httpd, 'unknown.test', $TOKEN), "$mpm: unknown host");
    is_answered(get($httpd, '', $TOKEN, version => '1.0', no_host => 1),
                "$mpm: HTTP/1.0 without Host");
    return;
}

# -------------------------------------------------------------- the answer

# Only GET and HEAD read a challenge; the rest is told so.
sub check_methods
{
    my ($httpd) = @_;

    for my $host (qw(plain.test redirect.test auth.test managed.test)) {
        is_answered(get($httpd, $host, $TOKEN, method => 'HEAD'),
                    "HEAD on $host", 1);
        for my $method (qw(POST PUT DELETE OPTIONS PATCH PROPFIND TRACE
                           NONSENSE)) {
            my $answer = get($httpd, $host, $TOKEN, method => $method,
                $method =~ /^P/ ? (body => 'x=1') : ());

            is $answer->{status}, 405, "$method on $host";
            like $answer->{headers}{allow}, 
                qr/^(?:GET,HEAD|HEAD,GET)(?:,TRACE)?$/, 'Allow';
            unlike $answer->{raw}, qr/\Q$KEYAUTH/, 'nothing is given away';
        }
    }
    is get($httpd, 'plain.test', $OTHER, method => 'POST')->{status}, 404,
        'POST for another token is none of our business';
    return;
}

# The connection stays open behind an answer, also behind a request with a
# body and behind a refusal.
sub check_keep_alive
{
    my ($httpd) = @_;

    for my $host (qw(plain.test redirect.test proxy.test auth.test)) {
        my @answers = converse($httpd->http,
            request('GET', "$PREFIX/$TOKEN", $host),
            request('HEAD', "$PREFIX/$TOKEN", $host),
            request('GET', "$PREFIX/$TOKEN", $host, 'Content-Length: 5')
                . 'GET /',
            request('POST', "$PREFIX/$TOKEN", $host, 'Content-Length: 5')
                . 'GET /',
            request('GET', "$PREFIX/$TOKEN", $host));

        is_deeply [map { $_->{status} } @answers], [200, 200, 200, 405, 200],
            "five requests on one connection to $host";
        is $answers[4]{body}, $KEYAUTH, 'and the last answer is right';
    }
    return;
}

# h2 and h2c, with and without prior knowledge, and TLS with the stand-in.
sub check_protocols
{
    my ($httpd) = @_;
    my $url = 'http://plain.test:' . $httpd->http . "$PREFIX/$TOKEN";
    my $tls = 'https://tls.test:' . $httpd->https . "$PREFIX/$TOKEN";
    my @curl = (ACME::Rig::program('curl'), '-sk', '--noproxy', '*',
        '--max-time', '20', '--resolve',
        'plain.test:' . $httpd->http . ':127.0.0.1', '--resolve',
        'tls.test:' . $httpd->https . ':127.0.0.1', '-w',
        ' %{http_code} %{http_version} %{content_type}');

    for (['h2c', '2', '--http2-prior-knowledge', $url],
         # An answer before the handlers comes before a switch of protocol.
         ['h2c by upgrade', '1.1', '--http2', $url],
         ['https', '1.1', '--http1.1', $tls],
         ['h2', '2', '--http2', $tls]) {
        my ($what, $version, @args) = @$_;
        my $result = $rig->run([@curl, @args]);

        is $result->{out}, "$KEYAUTH 200 $version application/octet-stream",
            "$what: GET";
        $result = $rig->run([@curl, '-X', 'DELETE', '-o', '/dev/null',
                             @args]);
        like $result->{out}, qr/ 405 \Q$version\E /, "$what: DELETE";
    }
    my $result = $rig->run([@curl, '-I', '--http2-prior-knowledge', $url]);
    like $result->{out}, qr/ 200 2 application/, 'h2c: HEAD';
    return;
}

# What is served comes and goes with the token.
sub check_life
{
    my ($httpd) = @_;

    live($httpd, 'put', $OTHER, "$OTHER.$THUMB", 600);
    is get($httpd, 'plain.test', $OTHER)->{body}, "$OTHER.$THUMB", 'put';
    live($httpd, 'remove', $OTHER);
    is get($httpd, 'plain.test', $OTHER)->{status}, 404, 'removed';
    live($httpd, 'put', $OTHER, "$OTHER.$THUMB", -1);
    is get($httpd, 'plain.test', $OTHER)->{status}, 404, 'expired';
    $httpd->graceful;
    is_answered(get($httpd, 'redirect.test', $TOKEN),
                'a restart keeps what is outstanding');
    my $generation = live($httpd, 'generation');
    $httpd->graceful;
    cmp_ok live($httpd, 'generation'), '==', $generation + 1, 'and is seen';
    return;
}

# 1 if the server has read all that was sent on this connection.
sub is_taken
{
    my ($httpd, $sock) = @_;
    my $row = sprintf ' 0100007F:%04X 0100007F:%04X 01 \w+:(\w+) ',
        $httpd->http, $sock->sockport;
    my ($queue) = (ACME::Rig->read_file('/proc/net/tcp') // '') =~ /$row/;

    return defined $queue && hex $queue == 0;
}

# Children of before a restart may answer for seconds after it: they know
# what is put then, too.
sub check_last_generation
{
    my ($httpd, $mpm) = @_;
    my $request = request('GET', "$PREFIX/$OTHER", 'plain.test');
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $httpd->http, Timeout => 10) or die "no connection\n";

    $sock->autoflush(1);
    print {$sock} substr $request, 0, -2;
    ACME::Rig::wait_for(10, 'the request to be taken',
                        sub { is_taken($httpd, $sock) });
    $httpd->graceful;
    live($httpd, 'put', $OTHER, "$OTHER.$THUMB", 600);
    print {$sock} "\r\n";
    is read_answer($sock)->{body}, "$OTHER.$THUMB",
        "$mpm: put after a restart, answered by a child of before it";
    live($httpd, 'remove', $OTHER);
    return;
}

# Other clients of the administrator keep their files below DocumentRoot,
# even with names that could be tokens, and a token never hides one of
# another name.
sub check_other_clients
{
    my ($httpd) = @_;

    $httpd->write_page(".well-known/acme-challenge/$OTHER", "certbot\n");
    $httpd->write_page('.well-known/acme-challenge/x', "short\n");
    is get($httpd, 'plain.test', $OTHER)->{body}, "certbot\n",
        'a file of another client';
    is get($httpd, 'plain.test', 'x')->{body}, "short\n", 'a short one';
    is get($httpd, 'plain.test', $OTHER, method => 'PUT')->{status}, 405,
        'httpd itself refuses to write it';
    is get($httpd, 'auth.test', $OTHER)->{status}, 401,
        'and its protection stays';
    return;
}

# --------------------------------------------------------------- bad input

sub nasty_paths
{
    my $encoded = join '', map { sprintf '%%%02X', ord } split //, $TOKEN;

    return (
        '', '/', '//', '.', '..', '../..', $TOKEN . '/', "/$TOKEN",
        "$TOKEN/..", "x/../$TOKEN", "./$TOKEN", $encoded,
        '%4c' . substr($TOKEN, 1), "$TOKEN%00", "%00$TOKEN", "$TOKEN%20",
        "$TOKEN.", "$TOKEN.$THUMB", lc $TOKEN, substr($TOKEN, 0, -1),
        $TOKEN . 'x', "$TOKEN;a", "$TOKEN%3Fa", "$TOKEN%23", '%', '%zz',
        '..%2f..%2fetc%2fpasswd', '..\\..\\x', '%c0%ae%c0%ae/', "%ff" x 100,
        'a' x 21, 'a' x 22, 'a' x 255, 'a' x 256, 'a' x 5000,
        '%s%n%p%d' x 8, "\x80\xff" x 20, "$TOKEN\t",
    );
}

# None of these is the token; each gets what httpd says without us.
sub check_nasty
{
    my ($httpd, $bare) = @_;

    for my $tail (nasty_paths()) {
        my $path = "$PREFIX/$tail";
        my $name = substr $path, 0, 70;
        $name =~ s/[^ -~]/?/g;
        my ($with, $without) = map {
            $_->get('plain.test', $path)->{status} } $httpd, $bare;

        is $with, $without, "$name: $without";
        isnt $with, 200, 'and that is no answer' if $tail !~ m{^[./]*$};
    }
    for my $path ("$PREFIX$TOKEN", "/x$PREFIX/$TOKEN", "/.$PREFIX/$TOKEN",
                  "/.well-known//acme-challenge/$TOKEN",
                  "/.WELL-KNOWN/acme-challenge/$TOKEN",
                  "/%2ewell-known/acme-challenge/$TOKEN",
                  "/.well-known/./acme-challenge/$TOKEN") {
        unlike $httpd->get('plain.test', $path)->{raw} // '',
            qr/\Q$KEYAUTH/, "$path is not the challenge's path";
    }
    is_answered(get($httpd, 'plain.test', "$TOKEN?query=1"),
                'a query changes nothing');
    is_answered($httpd->get('plain.test',
                            "http://plain.test$PREFIX/$TOKEN"),
                'a request with the whole URL');
    return;
}

# Long and random requests harm nobody.
sub check_fuzz
{
    my ($httpd) = @_;

    for my $size (8_000, 9_000, 100_000) {
        my $answer = get($httpd, 'plain.test', 'A' x $size);

        like $answer->{status}, qr/^(?:403|404|414)$/, "$size bytes of path";
    }
    srand 4711;
    my @bytes = map { chr } 1 .. 9, 11, 12, 14 .. 31, 33 .. 255;
    my %seen;
    for my $n (1 .. 300) {
        my $tail = join '', map { $bytes[rand @bytes] } 1 .. 1 + rand 300;
        my $answer = get($httpd, 'plain.test', $tail);

        $seen{$answer->{status}}++;
        fail "random bytes are answered: $n" if $answer->{status} == 200;
    }
    delete @seen{400, 403, 404};
    is_deeply \%seen, {}, 'random bytes get 400, 403 or 404';
    is_answered(get($httpd, 'plain.test', $TOKEN), 'and httpd goes on');
    return;
}

# ------------------------------------------------------------ who may write

# Children read the segment through a mapping they inherit; www-data, who
# they are, can neither open the file nor make the mapping writable.
sub check_secrecy
{
    my ($httpd) = @_;
    my $file = segment($httpd);
    my $seen = 0;

    is +(stat $file)[2] & 07777, 0600, 'the segment is 0600';
    for my $mode ('<', '+<', '>>') {
        my $result = $rig->run([$^X, '-e',
            'open my $fh, $ARGV[0], $ARGV[1] or die "$!\n"', $mode, $file],
            user => 'www-data');

        like $result->{err}, qr/Permission denied/, "www-data: open $mode";
    }
    for my $pid ($httpd->children) {
        my $maps = ACME::Rig->read_file("/proc/$pid/maps") // '';
        my @maps = grep { /\Q$file\E$/ } split /\n/, $maps;
        my @open = grep { (readlink($_) // '') eq $file }
            glob "/proc/$pid/fd/*";

        # One that a restart has told to end may be gone meanwhile, or have
        # no more than libc left.
        next if $maps !~ /mod_acme\.so/;
        $seen++;
        is scalar @maps, 1, 'a child has one mapping of it';
        like $maps[0], qr/ r--s /, 'which is read-only';
        is scalar @open, 0, 'and no descriptor';
    }
    cmp_ok $seen, '>', 0, 'there were children to look at';
    return;
}

# ----------------------------------------------------------------- trouble

# A segment that cannot be used is one sentence; httpd serves without it.
sub check_trouble
{
    my $httpd = ACME::Rig::Httpd->new($rig, name => 'trouble');
    my $http = $httpd->http;

    $httpd->write_page('index.html', "up\n");
    $httpd->write_config(<<"END");
<Directory />
    Require all granted
</Directory>
ACMEDomain plain.test
END
    mkdir segment($httpd);
    $httpd->start;
    is $httpd->get('plain.test', '/')->{body}, "up\n", 'httpd serves';
    is get($httpd, 'plain.test', $TOKEN)->{status}, 404, 'no challenges';
    like $httpd->error_log, qr/ACME0200: .* \S+acme-live .*not a regular file/,
        'and says why';
    rmdir segment($httpd);
    $httpd->graceful;
    live($httpd, 'put', $TOKEN, $KEYAUTH, 600);
    # A child of before the restart may take a few connections more.
    ok eval { ACME::Rig::wait_for(10, 'the new children', sub {
        get($httpd, 'plain.test', $TOKEN)->{status} == 200 }) },
        'mended by a restart';
    is $httpd->faults, '', 'no faults';
    $httpd->stop;
    return;
}

# Many domains, many tokens: each is answered.
sub check_many
{
    my $httpd = ACME::Rig::Httpd->new($rig, name => 'many');

    $httpd->write_config(join '', "<Directory />\nRequire all granted\n"
        . "</Directory>\n", map { "ACMEDomain n$_.test\n" } 1 .. 2000);
    $httpd->start;
    live($httpd, 'many', 2000, 600);
    my @wrong = grep {
        get($httpd, "n$_.test", sprintf 'token-%016d', $_)->{status} != 200
    } 0 .. 1, 500, 1000, 1998, 1999;
    is_deeply \@wrong, [], '2000 tokens at the same time';
    $httpd->stop;
    return;
}

{
    my $httpd = make_httpd('event');
    my $bare = ACME::Rig::Httpd->new($rig, name => 'bare', without_acme => 1);

    $bare->write_page('index.html', "the page of bare\n");
    $bare->write_config("<Directory />\nRequire all granted\n</Directory>\n");
    $bare->start;
    $httpd->start;
    check_hosts($httpd, 'event');
    check_methods($httpd);
    check_keep_alive($httpd);
    check_protocols($httpd);
    check_life($httpd);
    check_last_generation($httpd, 'event');
    check_nasty($httpd, $bare);
    check_other_clients($httpd);
    check_fuzz($httpd);
    check_secrecy($httpd);
    like $httpd->error_log, qr/ACME0202: .*\b\Q$TOKEN\E\b/,
        'an answer leaves a line in the log';
    unlike $httpd->error_log, qr/ACME\d+: .*\Q$KEYAUTH/,
        'without the key authorization';
    is $httpd->faults, '', 'no child crashed';
    $httpd->stop;
    $bare->stop;
}
for my $mpm (qw(worker prefork)) {
    my $httpd = make_httpd($mpm, mpm => $mpm);

    $httpd->start;
    check_hosts($httpd, $mpm);
    check_keep_alive($httpd);
    check_last_generation($httpd, $mpm);
    check_secrecy($httpd);
    is $httpd->faults, '', "$mpm: no child crashed";
    $httpd->stop;
}
check_trouble();
check_many();
done_testing;
