#!/usr/bin/perl

# OCSP stapling: httpd staples a response about the very certificate that a
# handshake serves, before and after a swap and a restart, and the last good
# one whatever becomes of the responder.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use ACME::Rig;
use ACME::Rig::Responder;
use ACME::Scene;

my $rig = ACME::Rig->new;
my $ocsp = ACME::Rig::Responder->new($rig);
my $live_put = ACME::Rig::builddir() . '/t/lib/live_put';
my $ca;

# A httpd of that MPM; the first one comes with the CA.
sub scene
{
    my ($mpm) = @_;
    my $scene = ACME::Scene->new(rig => $rig, name => $ca ? "-$mpm" : '',
        httpd => { mpm => $mpm }, pebble => { ocsp => $ocsp->url,
            key_algorithm => 'rsa', $ca ? (name => "pebble-$mpm") : () });

    $ca = $scene->ca;
    $ocsp->speak_for(map { $ca->manage($_) } '/intermediates/0',
                     '/intermediate-keys/0');
    return $scene;
}

# Stapling as an admin switches it on, for hosts of these names.
sub stapling_hosts
{
    my ($scene, $more, @names) = @_;
    my $root = $scene->httpd->root;

    return "SSLStaplingCache shmcb:$root/run/stapling(65536)\n$more"
        . join '', map { my $text = $scene->host($_);
                         $text =~ s/(SSLEngine on)/$1\n    SSLUseStapling on/;
                         "ACMEDomain $_\n$text" } @names;
}

# What a client gets that asks for a response: { status ("none", "good",
# "revoked"), serial (the certificate's), about (the response's) }. Options:
# tls (2, 3); or key (ec, rsa: what it takes, by TLS 1.2).
sub handshake
{
    my ($scene, $name, %opt) = @_;
    my @args = ('-connect', '127.0.0.1:' . $scene->httpd->https,
                '-servername', $name, '-status');

    push @args, "-tls1_$opt{tls}" if $opt{tls};
    push @args, '-tls1_2', '-cipher', $opt{key} eq 'rsa'
        ? 'ECDHE-RSA-AES128-GCM-SHA256' : 'ECDHE-ECDSA-AES128-GCM-SHA256'
        if $opt{key};
    my $out = $rig->run([ACME::Rig::program('openssl'), 's_client', @args],
                        timeout => 20)->{out};
    my ($pem) = $out
        =~ /^Server certificate\n(-----BEGIN.*?END CERTIFICATE-----\n)/ms;
    my ($status) = $out =~ /Cert Status: (\w+)/;
    my ($about) = $out =~ /Serial Number: (\w+)/;

    return { status => $status // ($out =~ /no response sent/ ? 'none'
                                   : "no answer: $out"),
        about => lc($about // ''), serial => $pem ? serial($pem) : '' };
}

sub serial
{
    my ($pem) = @_;
    my $file = $rig->write_file('serial.pem', $pem);

    return $rig->openssl('x509', '-in', $file, '-noout', '-serial')
        =~ /=(\w+)/ ? lc $1 : '';
}

sub stored_serial
{
    my ($scene, $id) = @_;

    return serial(ACME::Rig->read_file($scene->file($id, 'cert.pem')));
}

# The certificate in the store is served, with a response about it.
sub stapled
{
    my ($scene, $id, $what, %opt) = @_;
    my ($name) = $id =~ /^([^~]+)/;
    my $got = handshake($scene, $name, %opt);
    my $serial = stored_serial($scene, $id);

    is_deeply $got, { status => 'good', serial => $serial, about => $serial },
        $what;
    return;
}

# A certificate is served with nothing stapled to it.
sub bare
{
    my ($scene, $name, $what, %opt) = @_;

    is handshake($scene, $name, %opt)->{status}, 'none', $what;
    return;
}

# A client that verifies the response (curl --cert-status). Returns curl's
# status: 0, or 91 for a response that is no good.
sub curl
{
    my ($scene, $name) = @_;
    my $https = $scene->httpd->https;

    return $rig->run([ACME::Rig::program('curl'), '-sS', '--cert-status',
        '--cacert', $ca->roots_file, '--resolve', "$name:$https:127.0.0.1",
        "https://$name:$https/"])->{status};
}

# A response about the certificate in the store, made by hand.
sub make_response
{
    my ($scene, $id) = @_;
    my $file = $rig->path('response.der');

    $rig->openssl('ocsp', '-issuer', $scene->file($id, 'chain.pem'), '-cert',
        $scene->file($id, 'cert.pem'), '-no_nonce', '-reqout',
        $rig->path('request.der'));
    $rig->write_file($file, $ocsp->response(ACME::Rig->read_file(
        $rig->path('request.der'))));
    return $file;
}

# Put it into the live segment, for so many seconds.
sub put
{
    my ($scene, $id, $generation, $seconds) = @_;
    my $r = $rig->run([$live_put, $scene->httpd->root . '/run/acme-live',
        'staple', $id, $generation, make_response($scene, $id), $seconds]);

    is $r->{status}, 0, "a response for $id" or diag $r->{err};
    return;
}

# No complaint about stapling in a httpd's log. mod_ssl has some of its own
# for certificates that it knows nothing of.
sub no_noise
{
    my ($scene) = @_;
    my @lines = grep { !/ACME0900|cache/ } $scene->httpd->error_log
        =~ /^(.*stapl.*)$/gmi;

    is_deeply \@lines, [], 'the log says nothing about stapling';
    return;
}

# -------------------------------------------- what httpd does by itself
#
# The responder does not run, and responses are made by hand.

# A host that started with the stand-in staples what is put, by TLS 1.2 and
# 1.3, for each of its certificates its own; with SSLUseStapling off not.
{
    my $scene = scene('event');
    my $httpd = $scene->httpd;

    $scene->config(text => "ACMEPrivateKeys P-256 RSA-2048\n"
        . stapling_hosts($scene, '', 'a.test') . "ACMEDomain off.test\n"
        . $scene->host('off.test'))->start;
    bare($scene, 'a.test', 'nothing is stapled to the stand-in');
    $scene->ends(['issue', 'a.test', 'off.test'], 0, 'issued');
    bare($scene, 'a.test', 'nothing yet after the swap');
    put($scene, $_, 1, 60) for 'a.test', 'off.test';
    stapled($scene, 'a.test', 'TLS 1.2', key => 'ec');
    stapled($scene, 'a.test', 'TLS 1.3', tls => 3);
    bare($scene, 'a.test', 'none for the other key yet', key => 'rsa');
    put($scene, 'a.test~rsa-2048', 1, 60);
    stapled($scene, 'a.test~rsa-2048', 'each key its own', key => 'rsa');
    stapled($scene, 'a.test', 'and the first stays', key => 'ec');
    bare($scene, 'off.test', 'SSLUseStapling is off');
    is curl($scene, 'a.test'), 0, 'a client that verifies is content';
    is curl($scene, 'off.test'), 91, 'and misses it elsewhere';

    # A response that is over, or about another generation, is not stapled.
    put($scene, 'a.test', 1, -1);
    bare($scene, 'a.test', 'not past its end', key => 'ec');
    put($scene, 'a.test', 2, 60);
    bare($scene, 'a.test', 'not to another certificate', key => 'ec');

    # A restart takes the response that lies in the store.
    ACME::Rig->write_file($scene->file('a.test', 'ocsp.der'),
        ACME::Rig->read_file(make_response($scene, 'a.test')), 0600);
    ACME::Rig->write_file($scene->file('a.test~rsa-2048', 'ocsp.der'),
        'damaged', 0600);
    $httpd->graceful;
    stapled($scene, 'a.test', 'at once after a restart', key => 'ec');
    bare($scene, 'a.test', 'a damaged one is left out', key => 'rsa');
    like($httpd->error_log,
        qr{ACME0900: \S+~rsa-2048/00000001/ocsp.der is no OCSP response},
        'which is logged');
    no_noise($scene);
}

done_testing;
