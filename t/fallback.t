#!/usr/bin/perl

# Which challenge proves control of a name: certificates by tls-alpn-01
# alone, and by the other type where the first one does not get through.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use ACME::Rig;
use ACME::Rig::Httpd;
use ACME::Scene;

ACME::Rig::skip_unless_able(qw(openssl));

# How often httpd answered so far, by type.
sub answers
{
    my ($scene) = @_;
    my $log = $scene->httpd->error_log;

    return { 'http-01' => scalar(() = $log =~ /ACME0202/g),
             'tls-alpn-01' => scalar(() = $log =~ /ACME0500/g) };
}

sub issued
{
    my ($r, $name, $what) = @_;
    my $one = ACME::Scene::result_of($r, $name);

    is $one->{result}, 'issued', $what
        or diag $one->{error} ? $one->{error}{detail} : $r->{err};
    return;
}

# --------------------------------------------------------- by tls-alpn-01

# Certificates by tls-alpn-01 alone: for several names, for two types of key
# at the same time (their orders take turns), for a name of no virtual host;
# then again while httpd already serves what came after its start.
for my $mpm (qw(event worker prefork)) {
    my $scene = ACME::Scene->new(name => $mpm, httpd => { mpm => $mpm });

    $scene->config(domains => [['b.test', 'www.b.test']], text =>
        "ACMEChallenges tls-alpn-01\n"
        . "<ACMEDomain a.test www.a.test>\nACMEPrivateKeys P-256 RSA-2048\n"
        . "</ACMEDomain>\n" . $scene->host('a.test', 'www.a.test')
        . "<ACMEDomain nobody.test>\nACMERenewMode always\n</ACMEDomain>\n")
        ->start;
    for my $round ('first', 'again') {
        my $r = $scene->ends(['renew', $round eq 'again' ? '--force' : ()],
                             0, "$mpm: all of them, $round");
        my @results = map { "$_->{name} $_->{key_type} $_->{result}" }
            @{$r->{json}{results}};
        is_deeply [sort @results],
            ['a.test P-256 issued', 'a.test RSA-2048 issued',
             'b.test P-256 issued', 'nobody.test P-256 issued'],
            "$mpm: each of them";
        for my $name (qw(a.test www.a.test b.test)) {
            $scene->serves_ok($name, "$mpm: $name, $round");
        }
        $scene->serves_ok('a.test', "$mpm: to a client of RSA alone",
                          key => 'rsa');
        my $answers = answers($scene);
        is $answers->{'http-01'}, 0, "$mpm: nothing by http-01";
        cmp_ok $answers->{'tls-alpn-01'}, '>=', 6, 'all by tls-alpn-01';
    }
    my $challenge = $scene->rig->run([ACME::Rig::program('openssl'),
        's_client', '-connect', '127.0.0.1:' . $scene->httpd->https,
        '-servername', 'a.test', '-alpn', 'acme-tls/1'], input => '');
    unlike $challenge->{out}, qr/ALPN protocol: acme-tls/,
        "$mpm: nothing is pending any more";
    $scene->store_ok($mpm);
    is $scene->httpd->faults, '', "$mpm: no child crashed";
    $scene->httpd->stop;
    $scene->ca->stop;
}

# ------------------------------------------------------------- falling back

# A scene whose CA looks for challenges of these types at a port where
# nobody answers.
sub scene_without
{
    my ($name, @types) = @_;
    my $scene = ACME::Scene->new(name => $name, ca => 0);
    my $httpd = $scene->httpd;
    my ($dead) = $scene->rig->ports(1);
    my %port = ('http-01' => $httpd->http, 'tls-alpn-01' => $httpd->https);

    $port{$_} = $dead for @types;
    $scene->{ca} = ACME::Rig::Pebble->new($scene->rig,
        name => "pebble$name", http => $port{'http-01'},
        https => $port{'tls-alpn-01'});
    $scene->ca->start;
    return $scene;
}

# Port 80 does not get through: the default order begins with http-01 and
# goes on with tls-alpn-01. The other way round where the administrator
# begins with that.
for my $case (['no80', 'http-01', 'tls-alpn-01', ''],
              ['no443', 'tls-alpn-01', 'http-01',
               "ACMEChallenges tls-alpn-01 http-01\n"]) {
    my ($name, $dead, $alive, $text) = @$case;
    my $scene = scene_without($name, $dead);

    $scene->config(domains => [['a.test', 'www.a.test'], ['b.test']],
                   text => $text)->start;
    my $r = $scene->ends(['renew'], 0, "$dead does not get through");
    issued($r, $_, "$_ by $alive") for qw(a.test b.test);
    $scene->serves_ok($_) for qw(a.test www.a.test b.test);
    my $answers = answers($scene);
    is $answers->{$dead}, 0, "nobody asked for $dead";
    cmp_ok $answers->{$alive}, '>=', 3, "all by $alive";
    $scene->store_ok($name);
    $scene->httpd->stop;
    $scene->ca->stop;
}

# Neither gets through: one error that tells of both. With one type allowed
# there is one attempt.
{
    my $scene = scene_without('none', 'http-01', 'tls-alpn-01');

    $scene->config(domains => [['a.test']], text =>
        "<ACMEDomain c.test>\nACMEChallenges tls-alpn-01\n</ACMEDomain>\n"
        . $scene->host('c.test'))->start;
    $scene->refuses(['issue', 'a.test'], 1,
        qr/a\.test by http-01 failed.*; then .*a\.test by tls-alpn-01/,
        'both are told', changes => 1);
    my $r = $scene->refuses(['issue', 'c.test'], 1,
        qr/c\.test by tls-alpn-01 failed/, 'the only one');
    unlike +(ACME::Scene::sentences($r))[0], qr/; then |http-01/,
        'nothing else was tried';
    $scene->store_ok('after failures');
    $scene->httpd->stop;
    $scene->ca->stop;
}

# What cannot work is not tried: where port 80 does not arrive, tls-alpn-01
# is used without a word; where both do not, no CA is asked.
{
    my $scene = ACME::Scene->new(name => 'map');
    my $https = $scene->httpd->https;

    $scene->config(domains => [['a.test']],
                   port_map => "http:- https:$https")->start;
    my $r = $scene->ends(['issue', 'a.test'], 0, 'http:-');
    is scalar(grep { $_->[1] eq '/order-plz' } $scene->ca->requests), 1,
        'one order'
        or diag explain [$scene->ca->requests];
    is answers($scene)->{'tls-alpn-01'} > 0, 1, 'by tls-alpn-01';
    $scene->config(domains => [['a.test']], port_map => 'http:- https:-');
    is $scene->requests_of(sub {
        $scene->refuses(['issue', '--force', 'a.test'], 1,
            qr/http-01 needs the public port 80.*; tls-alpn-01 needs the/,
            'neither arrives');
    }), 0, 'the CA is not asked';
    $scene->httpd->stop;
}
done_testing;
