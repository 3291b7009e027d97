#!/usr/bin/perl

# Where the configuration needs an environment, as Debian's does, acmectl
# reaches httpd through apachectl: any program that hands its arguments on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use ACME::Rig;
use ACME::Rig::Httpd;
use ACME::Rig::Pebble;

ACME::Rig::skip_unless_able(qw(openssl pebble pebble-challtestsrv));
my $rig = ACME::Rig->new;
my $httpd = ACME::Rig::Httpd->new($rig,
                                  env => { ACME_TEST_NAME => 'env.test' });
my $ca = ACME::Rig::Pebble->new($rig, http => $httpd->http,
                                https => $httpd->https)->start;
my ($http, $https, $store) = ($httpd->http, $httpd->https, $httpd->store);
my ($directory, $ca_file) = ($ca->directory, $ca->ca_file);
my $binary = $httpd->binary;

$httpd->write_config(<<"END");
ACMEStoreDir "$store"
ACMECertificateAuthority $directory
ACMECACertificateFile "$ca_file"
ACMEAgreement accepted
ACMEContact none
ACMEPortMap http:$http https:$https
ACMEDomain \${ACME_TEST_NAME}
<Directory "/">
    Require all granted
</Directory>
<VirtualHost *:$https>
    ServerName \${ACME_TEST_NAME}
    SSLEngine on
</VirtualHost>
END
$httpd->write_page('index.html', "hello\n");
my $ctl = $rig->write_file('apachectl', <<"END", 0755);
#!/bin/sh
ACME_TEST_NAME=env.test
export ACME_TEST_NAME
exec $binary "\$@"
END
$httpd->start;

my @args = ('-d', $httpd->root, '-f', $httpd->config, 'issue', 'env.test');
my $r = $rig->acmectl(['--httpd', $binary, @args]);
is $r->{status}, 4, 'without the environment httpd refuses';
like $r->{err}, qr/ACME_TEST_NAME/, '... and says which variable it misses';

my $pid = $httpd->pid;
$r = $rig->acmectl(['--httpd', $ctl, @args]);
is $r->{status}, 0, 'through apachectl the certificate is issued'
    or diag $r->{out}, $r->{err};
is $httpd->pid, $pid, 'httpd restarted gracefully';
is $httpd->get_tls('env.test', '/index.html', ca => $ca->roots_file)
    ->{status}, 200, 'and serves it';

done_testing;
