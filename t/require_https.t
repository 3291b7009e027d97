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
}

done_testing;
