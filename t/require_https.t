#!/usr/bin/perl

# ACMERequireHTTPS: plain requests are redirected, and no site becomes
# unreachable by it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use ACME::Rig;
use ACME::Rig::Httpd;

ACME::Rig::skip_unless_able(qw(openssl));
my $rig = ACME::Rig->new;
my $httpd = ACME::Rig::Httpd->new($rig);
my ($http, $https, $store) = ($httpd->http, $httpd->https, $httpd->store);
my $other = $rig->port;
my $tls = $rig->make_tls('tls', names => ['temp.test', 'perm.test']);
my $config = <<"END";
ACMEStoreDir "$store"
ACMEPortMap http:$http https:$https
Listen 127.0.0.1:$other
<Directory "/">
    Require all granted
</Directory>
ACMERequireHTTPS permanent
ACMEDomain perm.test www.perm.test
<ACMEDomain temp.test>
    ACMERequireHTTPS temporary
</ACMEDomain>
<ACMEDomain off.test>
    ACMERequireHTTPS off
</ACMEDomain>
ACMEDomain waiting.test
ACMEDomain plainonly.test
<VirtualHost *:$http *:$other>
    ServerName perm.test
    ServerAlias www.perm.test temp.test off.test waiting.test plainonly.test
    Redirect /old /new
    RewriteEngine on
    RewriteRule ^/gone - [G]
</VirtualHost>
<VirtualHost *:$https>
    ServerName perm.test
    ServerAlias www.perm.test temp.test off.test
    SSLEngine on
    SSLCertificateFile "$tls->{cert}"
    SSLCertificateKeyFile "$tls->{key}"
</VirtualHost>
<VirtualHost *:$https>
    ServerName waiting.test
    SSLEngine on
</VirtualHost>
END

$httpd->write_page('index.html', "hello\n");
$httpd->write_page('.well-known/acme-challenge/foreign', "theirs\n");
$httpd->write_config($config);
$httpd->start;

sub location { return $_[0]{headers}{location} }

sub is_redirect
{
    my ($answer, $status, $location, $what) = @_;

    is_deeply [$answer->{status}, location($answer)], [$status, $location],
        $what;
    return;
}

is_redirect $httpd->get('perm.test', '/'), 308, 'https://perm.test/',
    'permanent is 308';
is_redirect $httpd->get('temp.test', '/'), 307, 'https://temp.test/',
    'temporary is 307';
is_redirect $httpd->get('WWW.Perm.Test', '/a'), 308,
    'https://www.perm.test/a', 'a further name of the domain, case ignored';
is_redirect $httpd->get('perm.test', '/a%20b%2Fc?x=%0d%0a&y'), 308,
    'https://perm.test/a%20b%2Fc?x=%0d%0a&y',
    'path and query as they were sent';
is_redirect $httpd->get('perm.test', '/', method => 'POST'), 308,
    'https://perm.test/', 'a POST keeps its method by the status';
is_redirect $httpd->get('perm.test', '/old'), 308, 'https://perm.test/old',
    'before Redirect';
is_redirect $httpd->get('perm.test', '/gone'), 308,
    'https://perm.test/gone', 'before RewriteRule';

is $httpd->get('perm.test', '/.well-known/acme-challenge/foreign')->{body},
    "theirs\n", "other clients' challenges are not redirected";
is $httpd->get('off.test', '/')->{body}, "hello\n", 'off is off';
is $httpd->get('unknown.test', '/')->{body}, "hello\n",
    'a name of no domain is not redirected';
is $httpd->get('plainonly.test', '/')->{body}, "hello\n",
    'a domain without TLS host is not redirected';
is $httpd->get('waiting.test', '/')->{body}, "hello\n",
    'a domain without certificate is not redirected';
is $httpd->get_tls('perm.test', '/')->{body}, "hello\n", 'https is served';
is ACME::Rig::fetch($other, 'perm.test', path => '/')->{body}, "hello\n",
    'another port is left alone';

# A proxy in front that ended TLS says so; redirecting would never end.
is $httpd->get('perm.test', '/', headers => ['X-Forwarded-Proto' => 'https'
    ])->{body}, "hello\n", 'X-Forwarded-Proto: https';
is $httpd->get('perm.test', '/', headers => ['Forwarded' =>
    'for=192.0.2.1;proto=https'])->{body}, "hello\n", 'Forwarded';
is_redirect $httpd->get('perm.test', '/', headers => [
    'X-Forwarded-Proto' => 'http']), 308, 'https://perm.test/',
    'X-Forwarded-Proto: http';

# A virtual host says it of its own requests, whatever the domain says; the
# guards are the same.
{
    (my $text = $config) =~ s/^ACMERequireHTTPS permanent\n//m;
    $text =~ s/^(<VirtualHost \*:$http \*:$other>\n)/$1ACMERequireHTTPS temporary\n/m;
    $httpd->write_config($text . <<"END");
<ACMEDomain both.test kept.test>
    ACMERequireHTTPS permanent
</ACMEDomain>
<VirtualHost *:$http>
    ServerName both.test
</VirtualHost>
<VirtualHost *:$http>
    ServerName kept.test
    ServerAlias perm.test
    ACMERequireHTTPS off
</VirtualHost>
<VirtualHost *:$https>
    ServerName both.test
    ServerAlias kept.test
    ACMERequireHTTPS permanent
    SSLEngine on
    SSLCertificateFile "$tls->{cert}"
    SSLCertificateKeyFile "$tls->{key}"
</VirtualHost>
END
    $httpd->graceful;
    is_redirect $httpd->get($_, '/a?b'), 307, "https://$_/a?b",
        "the host's: $_" for qw(perm.test www.perm.test temp.test off.test);
    is $httpd->get('perm.test', '/.well-known/acme-challenge/foreign')->{body},
        "theirs\n", "the host's: no challenge";
    is $httpd->get($_, '/')->{body}, "hello\n", "the host's: not $_"
        for qw(waiting.test plainonly.test unknown.test);
    is $httpd->get('perm.test', '/', headers => ['X-Forwarded-Proto' =>
        'https'])->{body}, "hello\n", "the host's: X-Forwarded-Proto";
    is ACME::Rig::fetch($other, 'perm.test', path => '/')->{body}, "hello\n",
        "the host's: another port is left alone";
    is_redirect $httpd->get('both.test', '/'), 308, 'https://both.test/',
        'a host without: the domain\'s';
    is $httpd->get('kept.test', '/')->{body}, "hello\n",
        'off excepts a host from the domain\'s';
    is $httpd->get_tls('both.test', '/')->{body}, "hello\n",
        'a TLS host redirects nothing';
    is_deeply [map { $_->{require_https} }
               @{$httpd->dump->{virtual_hosts}}[0, 1, 3, 4, 5]],
        ['temporary', undef, undef, 'off', 'permanent'], 'in the dump';

    # Off in a host alone asks nothing of anybody.
    (my $off = $text) =~ s/ACMERequireHTTPS \w+/ACMERequireHTTPS off/g;
    $httpd->write_config($off);
    $httpd->graceful;
    is $httpd->get('perm.test', '/')->{body}, "hello\n", 'off everywhere';
}

# Nowhere to redirect to: the public port 443 does not arrive here.
(my $without = $config) =~ s/https:$https/https:-/;
$httpd->write_config($without);
$httpd->graceful;
is $httpd->get('perm.test', '/')->{body}, "hello\n", 'ACMEPortMap https:-';

# Wrong values are errors of httpd -t, with directive and line.
for my $bad ('maybe', '', 'permanent temporary') {
    $httpd->write_config("ACMERequireHTTPS $bad\n");
    my $r = $httpd->configtest;
    isnt $r->{status}, 0, "ACMERequireHTTPS '$bad' is refused";
    like $r->{err}, qr/on line \d+.*ACMERequireHTTPS.*off, temporary or perm/s,
        '... with what is allowed';
    $httpd->write_config("<VirtualHost *:1>\nACMERequireHTTPS $bad\n"
                         . "</VirtualHost>\n");
    like $httpd->configtest->{err},
        qr/on line \d+.*ACMERequireHTTPS.*off, temporary or perm/s,
        '... in a host, too';
}

done_testing;
