#!/usr/bin/perl

# OCSP stapling: httpd staples a response about the very certificate that a
# handshake serves, before and after a swap and a restart, and the last good
# one whatever becomes of the responder.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use POSIX qw(strftime);
use Test::More;
use Time::Local qw(timegm);

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

# ------------------------------------------------------ acmectl fetches

# The ledger's entry about a response, perhaps changed.
sub entry
{
    my ($scene, $id, %change) = @_;
    my $file = $scene->store . '/ledger.json';
    my $json = JSON::PP->new->canonical->pretty;
    my $ledger = $json->decode(ACME::Rig->read_file($file));
    my $entry = $ledger->{staples}{$id} // {};

    if (%change) {
        %$entry = (%$entry, %change);
        $rig->write_file($file, $json->encode($ledger), 0600);
    }
    return $entry;
}

sub rfc3339
{
    my ($seconds) = @_;

    return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + $seconds));
}

sub seconds_until
{
    my ($text) = @_;
    my ($y, $m, $d, @clock) = ($text // '') =~ /(\d+)/g;

    return defined $y ? timegm($clock[2], $clock[1], $clock[0], $d, $m - 1,
                               $y) - time : 'never';
}

# The same processes serve.
sub no_reload
{
    my ($scene, $before, $what) = @_;
    my $now = $scene->served_now;

    is "$now->{pid} $now->{restarts}", "$before->{pid} $before->{restarts}",
        $what;
    return;
}

# A host with SSLUseStapling, and one whose certificate must be stapled.
sub two_hosts
{
    my ($scene, $more) = @_;

    return $scene->config(text => stapling_hosts($scene, $more, 'a.test')
        . "<ACMEDomain m.test>\n    ACMEMustStaple on\n</ACMEDomain>\n"
        . $scene->host('m.test'));
}

# What every MPM does.
sub basics
{
    my ($mpm) = @_;
    my $scene = scene($mpm);
    my $httpd = $scene->httpd;

    two_hosts($scene, '')->start;
    my $before = $scene->served_now;

    # A host that starts without a certificate staples from the handshake on
    # in which it has one, with SSLUseStapling, and where the certificate
    # says that it must be stapled, without.
    $scene->ends(['issue', 'a.test', 'm.test'], 0, "$mpm: issued");
    stapled($scene, 'a.test', "$mpm: TLS 1.2", tls => 2);
    stapled($scene, 'a.test', "$mpm: TLS 1.3", tls => 3);
    stapled($scene, 'm.test', "$mpm: must-staple");
    like($rig->openssl('x509', '-noout', '-text', '-in',
        $scene->file('m.test', 'cert.pem')), qr/TLS Feature:\s+status_request/,
        "$mpm: it says so");
    is curl($scene, $_), 0, "$mpm: a client that verifies: $_"
        for 'a.test', 'm.test';

    # So it does after a swap: about the new one.
    my $old = stored_serial($scene, 'a.test');
    $scene->ends(['renew', '--force', 'a.test', 'm.test'], 0,
                 "$mpm: renewed");
    isnt stored_serial($scene, 'a.test'), $old, "$mpm: another certificate";
    stapled($scene, $_, "$mpm: $_ after the swap") for 'a.test', 'm.test';
    no_reload($scene, $before, "$mpm: no reload");

    # And at once after a restart, when nobody has asked again.
    my $asked = () = $ocsp->requests;
    $httpd->graceful;
    stapled($scene, $_, "$mpm: $_ after a restart") for 'a.test', 'm.test';
    is scalar(() = $ocsp->requests), $asked, "$mpm: nobody was asked";
    no_noise($scene);
    $scene->store_ok($mpm);
    return $scene;
}

$ocsp->start;
my $scene = basics('event');
my $httpd = $scene->httpd;

# A responder is asked as RFC 6960 says, once a certificate.
is_deeply [map { "$_->{method} $_->{path} $_->{type}" } $ocsp->requests],
    [('POST /ocsp application/ocsp-request') x 4], 'the requests';

# The next response is fetched when half of this one is over, or a little
# before; until then nobody is asked.
{
    my $wait = seconds_until(entry($scene, 'a.test')->{next_try});
    my $asked = () = $ocsp->requests;

    cmp_ok $wait, '>', 26 * 60 - 30, 'not long before half is over';
    cmp_ok $wait, '<=', 30 * 60, 'not after';
    $scene->ends(['renew'], 0, 'nothing is due');
    is scalar(() = $ocsp->requests), $asked, 'so nobody is asked';
    my $r = $scene->ends(['certificates'], 0, 'the list');
    my ($c) = grep { $_->{name} eq 'a.test' } @{$r->{json}{certificates}};
    is $c->{staple}{next_try}, entry($scene, 'a.test')->{next_try},
        'tells when';
}

# Whatever a responder says or does: the last good response stays, and there
# is a time to try again. The command does not fail.
sub fails
{
    my ($set, $pattern, $what) = @_;
    my $kept = ACME::Rig->read_file($scene->file('a.test', 'ocsp.der'));

    $ocsp->set(mode => 'good', signer => 'issuer', minutes => 60, %$set);
    entry($scene, 'a.test', next_try => rfc3339(-1), failures => 0);
    my $r = $scene->ends(['renew', 'a.test'], 0, "$what: renew");
    like $r->{json}{notes}[0] // '',
        qr/^a\.test: no new OCSP response, .*$pattern/, "$what: told";
    my $entry = entry($scene, 'a.test');
    is $entry->{failures}, 1, "$what: counted";
    cmp_ok seconds_until($entry->{next_try}), '>', 40, "$what: tried later";
    ok(ACME::Rig->read_file($scene->file('a.test', 'ocsp.der')) eq $kept,
        "$what: the last response is kept");
    stapled($scene, 'a.test', "$what: and stapled");
    return;
}

fails({ mode => 'garbage' }, qr/is no OCSP response/, 'garbage');
fails({ mode => 'huge' }, qr/sent a body that is too large \(at most 16384/,
      'a huge answer');
fails({ mode => 'error' }, qr/answered with status 500/, 'an HTTP error');
fails({ mode => 'redirect' }, qr/answered with status 307/, 'a redirect');
fails({ mode => 'refusal' }, qr/answered "unauthorized"/, 'an OCSP error');
fails({ mode => 'other' }, qr/about another certificate/, 'another one');
fails({ mode => 'unknown' }, qr/does not know the certificate/, 'unknown');
fails({ signer => 'stranger' }, qr/not signed by/, 'a stranger');
fails({ minutes => 0 }, qr/how long it holds/, 'no end');
$ocsp->stop;
fails({}, qr/cannot reach the OCSP responder at .*refused/, 'down');
$ocsp->start;

# Who asks by hand need not wait after a failure.
$ocsp->set(mode => 'good');
$scene->ends(['renew', 'a.test'], 0, 'asked by hand');
ok !entry($scene, 'a.test')->{last_error}, 'the failure is over';

# A responder that the issuer has appointed speaks for it.
$ocsp->set(signer => 'delegated');
entry($scene, 'a.test', next_try => rfc3339(-1));
$scene->ends(['renew', 'a.test'], 0, 'a delegated responder');
ok !entry($scene, 'a.test')->{last_error}, 'is believed';
is curl($scene, 'a.test'), 0, 'by clients, too';
$ocsp->set(signer => 'issuer');

# A certificate that its responder calls revoked keeps its last good
# response, is shown as revoked, and the next run replaces it. One that was
# issued this very hour is not: its responder may call all of them so.
{
    my $serial = stored_serial($scene, 'a.test');
    my $meta = $scene->file('a.test', 'meta.json');

    fails({ revoked => [$serial] }, qr/is revoked since 2020-.*keyCompromise/,
          'revoked');
    like($httpd->acmectl(['certificates'])->{out}, qr/a\.test.*valid/,
        'a new one is not replaced');
    my $json = JSON::PP->new->decode(ACME::Rig->read_file($meta));
    $rig->write_file($meta, JSON::PP->new->encode({ %$json,
        issued => rfc3339(-7200) }), 0600);
    $scene->ends(['renew', 'a.test'], 0, 'asked again later');
    my $r = $scene->ends(['certificates'], 0, 'the list');
    my ($c) = grep { $_->{name} eq 'a.test' } @{$r->{json}{certificates}};
    is "$c->{state}: $c->{why}", 'due: it is revoked', 'it is shown';
    stapled($scene, 'a.test', 'the last good one stays meanwhile');
    $scene->ends(['renew'], 0, 'the next run');
    isnt stored_serial($scene, 'a.test'), $serial, 'replaces it';
    stapled($scene, 'a.test', 'and staples the new one');
    $ocsp->set(revoked => []);
}

# A certificate that must be stapled waits for its response, but not for
# ever: a responder that never answers delays it by some seconds. That it is
# installed is told when it is.
{
    my $serial = stored_serial($scene, 'm.test');
    $ocsp->set(mode => 'silent');
    two_hosts($scene, "ACMENotify /bin/echo\n");
    my $r = $scene->ends([qw(--log-level info renew --force m.test)], 0,
                         'renewed');

    like $r->{err}, qr/no new OCSP response.*ACMENotify: installed m\.test/s,
        'told in this order';
    is scalar(() = $r->{err} =~ /ACMENotify: installed/g), 1, 'once';
    cmp_ok $r->{seconds}, '>', 5, 'it waited';
    cmp_ok $r->{seconds}, '<', 20, 'and ended';
    my $got = handshake($scene, 'm.test');
    isnt $got->{serial}, $serial, 'the new one is served';
    is $got->{status}, 'none', 'without a response';
    $ocsp->set(mode => 'good');
    $scene->ends(['renew', 'm.test'], 0, 'asked by hand');
    stapled($scene, 'm.test', 'and then with one');
}

# A run that is killed while such a certificate waits leaves it in the store
# and unpublished; the next one that asks for its response publishes it.
{
    my $old = sprintf '%s/domains/m.test/%08d', $scene->store,
        $scene->generation('m.test') - 1;
    my $file = $scene->store . '/ledger.json';
    my $ledger = JSON::PP->new->decode(ACME::Rig->read_file($file));

    $rig->run([$live_put, $httpd->root . '/run/acme-live', 'cert', 'm.test',
               $scene->generation('m.test') - 1, "$old/fullchain.pem",
               "$old/key.pem"]);
    isnt handshake($scene, 'm.test')->{serial},
        stored_serial($scene, 'm.test'), 'unpublished';
    delete $ledger->{staples}{'m.test'};
    $rig->write_file($file, JSON::PP->new->encode($ledger), 0600);
    $scene->ends(['renew'], 0, 'the next run');
    stapled($scene, 'm.test', 'publishes it, and staples');
}

# "openssl ocsp" as the responder, over its own HTTP.
{
    $ocsp->stop;
    $ocsp->start_openssl(stored_serial($scene, 'a.test'));
    entry($scene, 'a.test', next_try => rfc3339(-1));
    $scene->ends(['renew', 'a.test'], 0, 'openssl ocsp');
    ok !entry($scene, 'a.test')->{last_error}, 'is understood';
    stapled($scene, 'a.test', 'and stapled');
    $ocsp->stop;
    $ocsp->start;
}

# A host with a certificate of its own is mod_ssl's: it asks by itself.
{
    my $https = $httpd->https;
    my $own = $rig->make_dir($httpd->root . '/own', 0755);
    my $asked = () = $ocsp->requests;

    for my $name ('fullchain', 'key') {
        $rig->write_file("$own/$name.pem", ACME::Rig->read_file(
            $scene->file('a.test', "$name.pem")), 0600);
    }
    $scene->config(text => stapling_hosts($scene, <<"END", 'a.test'));
<VirtualHost *:$https>
    ServerName own.test
    SSLEngine on
    SSLCertificateFile "$own/fullchain.pem"
    SSLCertificateKeyFile "$own/key.pem"
    SSLUseStapling on
</VirtualHost>
END
    $httpd->graceful;
    is handshake($scene, 'own.test')->{status}, 'good', 'stapled by mod_ssl';
    is scalar(() = $ocsp->requests), $asked + 1, 'which asked';
    stapled($scene, 'a.test', 'beside ours');
    is scalar(() = $ocsp->requests), $asked + 1, 'which nobody asked for';
}

# The manager fetches what is due by itself, and a responder that is down
# keeps it from nothing.
{
    entry($scene, 'a.test', next_try => rfc3339(1));
    my $asked = () = $ocsp->requests;
    $httpd->set_manager(1);
    $scene->config(text => stapling_hosts($scene, '', 'a.test'));
    $httpd->graceful;
    ACME::Rig::wait_for(20, 'the manager asks',
                        sub { $asked < (() = $ocsp->requests) });
    ACME::Rig::wait_for(20, 'the next time is known', sub {
        my $wait = seconds_until(entry($scene, 'a.test')->{next_try});
        return $wait =~ /\d/ && $wait > 26 * 60 - 60;
    });
    stapled($scene, 'a.test', 'refreshed');
    $ocsp->stop;
    $scene->config(text => stapling_hosts($scene, '', 'a.test', 'n.test'));
    $httpd->graceful;
    ACME::Rig::wait_for(30, 'a certificate without a responder', sub {
        $scene->generation('n.test')
        && handshake($scene, 'n.test')->{serial}
            eq stored_serial($scene, 'n.test');
    });
    stapled($scene, 'a.test', 'the last good one stays');
    ACME::Rig::wait_for(10, 'the failure is known',
        sub { entry($scene, 'n.test')->{last_error} });
    cmp_ok seconds_until(entry($scene, 'n.test')->{next_try}), '>', 40,
        'and tried again later';
    $ocsp->start;
    $httpd->stop;
}

basics($_)->httpd->stop for qw(worker prefork);

done_testing;
