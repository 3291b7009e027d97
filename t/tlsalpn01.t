#!/usr/bin/perl

# tls-alpn-01 inside httpd: a handshake for a pending challenge is answered
# with the challenge's certificate, whatever the host it arrives at is like,
# and every other handshake is what it was.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use ACME::Rig;
use ACME::Rig::Httpd;

ACME::Rig::skip_unless_able(qw(openssl curl));

my $rig = ACME::Rig->new;
my $live_put = ACME::Rig::builddir() . '/t/lib/live_put';
plan skip_all => "$live_put is not built" if !-x $live_put;

# What challenges are answered with, and what hosts have.
my %tls = map { $_ => $rig->make_tls($_, names => ['a.test', 'b.test',
                                                   'r.test'],
                                     key => /rsa/ ? 'rsa' : 'ec') }
    qw(challenge-ec challenge-rsa own-ec own-rsa next-ec);
my %name_of = map { pem_of(ACME::Rig->read_file($tls{$_}{cert})) => $_ }
    keys %tls;

# The clients that a CA may be: what they can verify, and what they get.
my %CLIENTS = (
    'TLS 1.3' => ['ec', '-tls1_3'],
    'TLS 1.3 with RSA alone' => ['rsa', '-tls1_3', '-sigalgs',
                                 'rsa_pss_rsae_sha256'],
    'TLS 1.3, RSA first' => ['ec', '-tls1_3', '-sigalgs',
        'rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256'],
    'TLS 1.2 with ECDSA' => ['ec', '-tls1_2', '-cipher',
                             'ECDHE-ECDSA-AES128-GCM-SHA256'],
    'TLS 1.2 with RSA' => ['rsa', '-tls1_2', '-cipher',
                           'ECDHE-RSA-AES128-GCM-SHA256'],
);

sub pem_of
{
    my ($text) = @_;

    return $text =~ /(-----BEGIN CERTIFICATE-----.*?-----END CERT)/s ? $1
                                                                    : '';
}

sub make_httpd
{
    my ($mpm, %opt) = @_;
    my $httpd = ACME::Rig::Httpd->new($rig, name => $opt{name} // $mpm,
                                      mpm => $mpm, more => ['http2']);
    my $https = $httpd->https;

    $httpd->write_page('index.html', "the page\n");
    $httpd->write_config(<<"END");
<Directory />
    Require all granted
</Directory>
ACMEDomain b.test
@{[$opt{text} // '']}
<VirtualHost *:$https>
    ServerName a.test
    SSLEngine on
    SSLCertificateFile $tls{'own-ec'}{cert}
    SSLCertificateKeyFile $tls{'own-ec'}{key}
    SSLCertificateFile $tls{'own-rsa'}{cert}
    SSLCertificateKeyFile $tls{'own-rsa'}{key}
</VirtualHost>
<VirtualHost *:$https>
    ServerName b.test
    Protocols h2 http/1.1
    SSLEngine on
</VirtualHost>
<VirtualHost *:$https>
    ServerName r.test
    SSLEngine on
    SSLCertificateFile $tls{'own-rsa'}{cert}
    SSLCertificateKeyFile $tls{'own-rsa'}{key}
</VirtualHost>
<VirtualHost *:$https>
    ServerName strict.test
    SSLEngine on
    SSLVerifyClient require
    SSLCertificateFile $tls{'own-ec'}{cert}
    SSLCertificateKeyFile $tls{'own-ec'}{key}
    SSLCACertificateFile $tls{'own-ec'}{ca}
</VirtualHost>
END
    return $httpd;
}

sub live
{
    my ($httpd, @args) = @_;
    my $r = $rig->run([$live_put, $httpd->root . '/run/acme-live', @args]);

    is $r->{status}, 0, "live_put @args[0, 1]" or diag $r->{err};
    return;
}

sub pend
{
    my ($httpd, $name, $seconds) = @_;

    live($httpd, 'name', $name, $seconds // 600,
         map { @{$tls{"challenge-$_"}}{qw(cert key)} } qw(ec rsa));
    return;
}

# A handshake. Returns { alpn, cert (a name in %tls), out }.
sub shake
{
    my ($httpd, $name, @args) = @_;
    my @sni = defined $name ? ('-servername', $name) : '-noservername';
    my $r = $rig->run([ACME::Rig::program('openssl'), 's_client', '-connect',
        '127.0.0.1:' . $httpd->https, '-showcerts', @sni, @args],
        timeout => 20, input => "GET / HTTP/1.0\r\n\r\n");
    my ($alpn) = $r->{out} =~ /^ALPN protocol: (\S+)/m;
    my $pem = pem_of($r->{out});

    return { alpn => $alpn // '', out => $r->{out} . $r->{err},
             cert => $pem eq '' ? '' : $name_of{$pem} // 'stranger' };
}

sub challenge { return shake(@_, '-alpn', 'acme-tls/1') }

sub is_answered
{
    my ($httpd, $name, $client, $what) = @_;
    my ($key, @args) = @{$CLIENTS{$client}};
    my $r = challenge($httpd, $name, @args);

    is "$r->{alpn} $r->{cert}", "acme-tls/1 challenge-$key",
        "$what: $client" or diag $r->{out};
    return;
}

sub is_unanswered
{
    my ($httpd, $name, $what) = @_;

    for my $version ('-tls1_2', '-tls1_3') {
        my $r = challenge($httpd, $name, $version);

        isnt $r->{alpn}, 'acme-tls/1', "$what: $version"
            or diag $r->{out};
        unlike $r->{cert}, qr/^challenge/, 'no challenge certificate';
    }
    return;
}

# ---------------------------------------------------------------- handshakes

# Any host, any client that can speak to it, gets the certificate of the
# challenge, and one of a key that it can verify.
sub check_answers
{
    my ($httpd, $mpm) = @_;

    for my $name (qw(a.test b.test r.test)) {
        pend($httpd, $name);
        for my $client (sort keys %CLIENTS) {
            my $ecdsa = $client eq 'TLS 1.2 with ECDSA';
            my $rsa = $client eq 'TLS 1.2 with RSA';
            # No handshake at all with such a host and such a client.
            next if ($name eq 'r.test' && $ecdsa)
                || ($name eq 'b.test' && $rsa);
            is_answered($httpd, $name, $client, "$mpm: $name");
        }
    }
    return;
}

# A name in no virtual host, a host that demands certificates of its
# clients: both can be validated.
sub check_strange_hosts
{
    my ($httpd, $mpm) = @_;

    for my $name (qw(nobody.example strict.test)) {
        pend($httpd, $name);
        is_answered($httpd, $name, $_, "$mpm: $name")
            for 'TLS 1.3', 'TLS 1.2 with ECDSA';
        live($httpd, 'no-name', $name);
    }
    return;
}

# Without a pending challenge nobody gets as far: before it, after it,
# expired, for another name.
sub check_pending_alone
{
    my ($httpd) = @_;

    is_unanswered($httpd, 'c.test', 'never pending');
    is_unanswered($httpd, undef, 'no name');
    is_unanswered($httpd, 'www.a.test', 'another name');
    pend($httpd, 'c.test', -1);
    is_unanswered($httpd, 'c.test', 'expired');
    pend($httpd, 'c.test', 600);
    is_answered($httpd, 'c.test', 'TLS 1.3', 'pending');
    is_answered($httpd, 'C.tesT', 'TLS 1.3', 'in upper case');
    live($httpd, 'no-name', 'c.test');
    is_unanswered($httpd, 'c.test', 'over');
    return;
}

# Every other client of a host with a pending challenge gets what it always
# got: certificate, protocol, page, and no offer to upgrade.
sub check_others
{
    my ($httpd, $mpm) = @_;

    pend($httpd, 'a.test');
    my $answer = $httpd->get_tls('a.test', '/', ca => $tls{'own-ec'}{ca});
    is "$answer->{status} $answer->{body}", "200 the page\n", "$mpm: http/1.1";
    is $answer->{headers}{upgrade}, undef, 'no Upgrade';
    is $httpd->get('a.test', '/')->{headers}{upgrade}, undef,
        'nor without TLS';
    is shake($httpd, 'a.test')->{cert}, 'own-ec', 'without ALPN';
    for my $offer ('acme-tls/1,http/1.1', 'http/1.1,acme-tls/1', 'http/1.1') {
        my $r = shake($httpd, 'a.test', '-alpn', $offer);
        is "$r->{alpn} $r->{cert}", 'http/1.1 own-ec', "offers $offer";
    }
    pend($httpd, 'b.test');
    # mod_http2 does not work with prefork.
    is shake($httpd, 'b.test', '-alpn', 'h2,http/1.1')->{alpn},
        $mpm eq 'prefork' ? 'http/1.1' : 'h2', "$mpm: h2";
    # A CA that goes on as if it spoke http learns nothing of the host.
    my $r = challenge($httpd, 'a.test', '-ign_eof');
    unlike $r->{out}, qr/the page/, 'no page through a challenge';
    return;
}

# A host that was renewed since httpd's start: in TLS 1.3 its certificate is
# chosen after the challenge's and must not take its place.
sub check_swapped
{
    my ($httpd, $mpm) = @_;

    live($httpd, 'cert', 'b.test', 7, @{$tls{'next-ec'}}{qw(cert key)});
    is shake($httpd, 'b.test', $_)->{cert}, 'next-ec', "$mpm: swapped, $_"
        for '-tls1_2', '-tls1_3';
    pend($httpd, 'b.test');
    is_answered($httpd, 'b.test', $_, "$mpm: after a swap")
        for grep { $_ ne 'TLS 1.2 with RSA' } sort keys %CLIENTS;
    is shake($httpd, 'b.test')->{cert}, 'next-ec', 'others get the new one';
    return;
}

# Names that are none, or nobody's, are answered as ever.
sub check_evil
{
    my ($httpd) = @_;

    is_unanswered($httpd, $_->[1], $_->[0]) for
        ['255 bytes', 'a' x 255], ['labels', join('.', ('b') x 127)],
        ['an odd byte', "a\x01.test"], ['blanks', 'a. test'],
        ['a path', '../../a.test'], ['8 bits', "\xff\xfe.test"],
        ['a format', '%s%n.test'], ['a dot', '.'], ['a final dot', 'a.test.'],
        ['an address', '127.0.0.1'];
    # The one of all that is pending is found behind all of that.
    is_answered($httpd, 'a.test', 'TLS 1.3', 'and still');
    return;
}

# Where no domain may be validated so, or port 443 does not arrive here,
# httpd does not know the protocol.
sub check_unwanted
{
    for my $text ('ACMEChallenges http-01', 'ACMEPortMap https:-',
                  'ACMEPortMap https:1') {
        my $httpd = make_httpd('event', name => 'unwanted', text => $text);

        $httpd->start;
        pend($httpd, 'a.test');
        is_unanswered($httpd, 'a.test', $text);
        $httpd->stop;
    }
    return;
}

# httpd that refuses clients without a known name refuses no CA.
sub check_strict
{
    my $httpd = make_httpd('event', name => 'strict',
                           text => 'SSLStrictSNIVHostCheck on');

    $httpd->start;
    check_strange_hosts($httpd, 'strict');
    $httpd->stop;
    return;
}

# ----------------------------------------------------------------------- go

for my $mpm (qw(event worker prefork)) {
    my $httpd = make_httpd($mpm);

    $httpd->start;
    check_answers($httpd, $mpm);
    check_strange_hosts($httpd, $mpm);
    check_others($httpd, $mpm);
    if ($mpm eq 'event') {
        check_pending_alone($httpd);
        check_evil($httpd);
        like $httpd->error_log, qr/ACME0500: .*\ba\.test by tls-alpn-01/,
            'an answer leaves a line in the log';
    }
    check_swapped($httpd, $mpm);
    is $httpd->faults, '', "$mpm: no child crashed";
    $httpd->stop;
}
check_unwanted();
check_strict();
done_testing;
