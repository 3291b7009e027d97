#!/usr/bin/perl

# acmectl revoke: by the account's key or by the certificate's own, with a
# reason; the CA's word decides, and httpd is left alone.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use ACME::Scene;

my $scene = ACME::Scene->new;
my ($rig, $httpd, $ca) = ($scene->rig, $scene->httpd, $scene->ca);
my @names = map { "$_.test" } qw(a b c d e f g);
my $both = <<'END' . $scene->host('both.test');
<ACMEDomain both.test>
    ACMEPrivateKeys P-256 RSA-2048
</ACMEDomain>
END

$scene->config(domains => [map { [$_] } @names], text => $both)->start;
$scene->ends(['renew'], 0, 'certificates to revoke');

# What the CA says of a certificate in a file.
sub at_ca
{
    my ($file) = @_;
    my ($serial) = $rig->openssl('x509', '-in', $file, '-noout', '-serial')
        =~ /serial=(\w+)/;

    return $ca->certificate_status(lc $serial);
}

sub cert { return $scene->file($_[0], 'cert.pem') }

# A copy that survives renewals.
sub copy
{
    my ($id, $name) = @_;

    return $rig->write_file("copy-$id-$name",
        $rig->read_file($scene->file($id, $name)), 0600);
}

# By the account's key: the CA knows it, the store remembers it, httpd goes
# on with the old certificate until the next renew, which gets a new one.
{
    my $old = copy('a.test', 'cert.pem');
    my $now = $scene->served_now;
    is at_ca($old)->{Status}, 'Valid', 'valid before';
    my $r = $scene->ends(['revoke', 'a.test'], 0, 'revoke by name');

    is $r->{json}{results}[0]{result}, 'revoked', 'revoked';
    is $r->{json}{results}[0]{serial}, $scene->served('a.test')->{cert}{serial},
        'the serial number';
    ok $r->{json}{changed}, 'something changed';
    is at_ca($old)->{Status}, 'Revoked', 'the CA says so';
    is_deeply $scene->served_now, $now, 'httpd was left alone';
    like $r->{json}{notes}[0] // '', qr/still serves .*"acmectl renew a\.test"/,
        'the note says what to do';
    ok -s cert('a.test'), 'the certificate is still in the store';

    $r = $scene->ends(['certificates'], 0, 'certificates');
    my ($a) = grep { $_->{name} eq 'a.test' } @{$r->{json}{certificates}};
    is $a->{state}, 'due', 'it is due';
    like $a->{why}, qr/revoked/, 'and why';
    $r = $scene->ends(['renew'], 0, 'renew');
    is ACME::Scene::result_of($r, 'a.test')->{result}, 'issued', 'replaces it';
    is ACME::Scene::result_of($r, 'b.test')->{result}, 'skipped', 'alone';
    $scene->serves_ok('a.test');
    is at_ca(cert('a.test'))->{Status}, 'Valid', 'the new one is valid';

    # What is revoked already is what was wanted.
    $scene->ends(['revoke', '--cert', $old], 0, 'revoke it again');
}

# Every key type of a name is revoked.
{
    my $r = $scene->ends(['revoke', 'both.test'], 0, 'two key types');
    is scalar(@{$r->{json}{results}}), 2, 'two certificates';
    is at_ca(cert($_))->{Status}, 'Revoked', "$_ is revoked"
        for 'both.test', 'both.test~rsa-2048';
}

# Reasons by the names of RFC 5280; others are refused before the CA is
# asked.
{
    my %code = (unspecified => 0, keyCompromise => 1, affiliationChanged => 3,
                superseded => 4, cessationOfOperation => 5);
    my @left = qw(c.test d.test e.test f.test g.test);

    for my $reason (sort keys %code) {
        my $name = shift @left;
        $scene->ends(['revoke', '--reason', $reason, $name], 0,
                     "reason $reason");
        my $status = at_ca(cert($name));
        is $status->{Status}, 'Revoked', '... revoked';
        is $status->{Reason} // 0, $code{$reason}, '... for this reason';
    }
    is $scene->requests_of(sub {
        $scene->refuses(['revoke', '--reason', $_, 'b.test'], 2,
            qr/--reason "\Q$_\E" is not known; use unspecified, keyComp/,
            "reason \"$_\"") for 'cACompromise', 'certificateHold', '1', '';
    }), 0, 'the CA was not asked';
    is at_ca(cert('b.test'))->{Status}, 'Valid', 'nothing was revoked';
}

# By the certificate's own key no account is needed, and none is made.
{
    my ($cert, $key) = (copy('b.test', 'fullchain.pem'),
                        copy('b.test', 'key.pem'));
    my $empty = $rig->path('empty');
    my $wrong = copy('a.test', 'key.pem');

    $scene->refuses(['--store', $empty, 'revoke', '--cert', $cert, '--key',
        $wrong], 2, qr/\Q$wrong\E is not the certificate's/, 'a wrong key');
    $rig->write_file($wrong, "not a key\n");
    $scene->refuses(['--store', $empty, 'revoke', '--cert', $cert, '--key',
        $wrong], 2, qr/\Q$wrong\E/, 'no key at all');
    $scene->refuses(['--store', $empty, 'revoke', '--cert', $cert, '--key',
        $rig->path('none')], 2, qr/none/, 'a key that is not there');
    $rig->openssl('pkey', '-in', $key, '-aes128', '-passout', 'pass:secret',
                  '-out', $wrong);
    $scene->refuses(['--store', $empty, 'revoke', '--cert', $cert, '--key',
        $wrong], 2, qr/\Q$wrong\E.*(?:passphrase|encrypted|password)/i,
        'an encrypted key: nobody is asked for a passphrase',
        timeout => 10);
    is at_ca($cert)->{Status}, 'Valid', 'nothing was revoked';

    # The CA promises to the key's holder what it does not to others; here
    # the store is empty, so nobody else could sign.
    my $before = grep { $_->[1] =~ /sign-me-up/ } $ca->requests;
    my $r = $scene->ends(['--store', $empty, 'revoke', '--cert', $cert,
                          '--key', $key, '--reason', 'keyCompromise'], 0,
                         'revoke by the key of the certificate');
    is $r->{json}{results}[0]{result}, 'revoked', 'revoked';
    is at_ca($cert)->{Status}, 'Revoked', 'the CA says so';
    is scalar(grep { $_->[1] =~ /sign-me-up/ } $ca->requests), $before,
        'no account was asked for';
    ok !(grep { -e } glob "$empty/accounts/*/{account.json,key.pem}"),
        'and none is kept';

    # In the store that has the certificate it is marked, so that it is
    # replaced.
    ($cert, $key) = map { $scene->file('a.test', $_) } qw(cert.pem key.pem);
    $scene->ends(['revoke', '--cert', $cert, '--key', $key], 0,
                 'a certificate of the store by its key');
    $r = $scene->ends(['renew', 'a.test'], 0, 'renew');
    is ACME::Scene::result_of($r, 'a.test')->{result}, 'issued',
        'replaces it';
}

# An RSA key signs as well (RS256).
{
    my $id = 'both.test~rsa-2048';
    $scene->ends(['renew', 'both.test'], 0, 'an RSA certificate');
    my ($cert, $key) = map { copy($id, $_) } qw(cert.pem key.pem);
    $scene->ends(['--store', $rig->path('empty'), 'revoke', '--cert', $cert,
                  '--key', $key], 0, 'revoke by an RSA key');
    is at_ca($cert)->{Status}, 'Revoked', 'the CA says so';
}

# What is not there, and what does not fit together.
{
    my $file = copy('a.test', 'cert.pem');
    my $key = copy('a.test', 'key.pem');
    my @cases = (
        [['revoke'], 2, qr/needs one name, or --cert FILE/],
        [['revoke', 'a.test', 'b.test'], 2, qr/needs one name/],
        [['revoke', 'a.test', '--cert', $file], 2, qr/needs one name/],
        [['revoke', 'a.test', '--key', $key], 2, qr/--key goes with --cert/],
        [['revoke', 'z.test'], 2,
         qr/z\.test is not a managed domain; .*--cert FILE/],
        [['revoke', '--cert', $rig->path('none')], 2, qr/none/],
        [['revoke', '--cert', $key], 2,
         qr/\Q$key\E.*"PRIVATE KEY" block: only CERTIFICATE/],
        [['revoke', '--cert', '/dev/zero'], 2, qr{/dev/zero}],
    );
    $scene->refuses(@$_, "acmectl @{$_->[0]}") for @cases;

    $scene->config(domains => [['a.test'], ['new.test']]);
    $scene->refuses(['revoke', 'new.test'], 1,
        qr/no certificate for new\.test in the store/,
        'a domain without a certificate');
    is at_ca($file)->{Status}, 'Valid', 'nothing was revoked';
}

# A certificate that the CA did not issue: its refusal, permanent.
{
    my $foreign = $rig->make_tls('foreign', names => ['a.test']);
    my $r = $scene->refuses(['revoke', '--cert', $foreign->{cert}, '--key',
        $foreign->{key}], 7, qr/revoking .*the CA/, 'a foreign certificate');
    $r = $scene->refuses(['revoke', '--cert', $foreign->{cert}], 7,
        qr/revoking .*the CA/, '... by the account');
}

# Another account may not revoke; without one, and without the key, nobody
# can ask, and no account is made for it.
{
    my $other = $rig->path('other');
    my $file = copy('a.test', 'cert.pem');
    $scene->ends(['--store', $other, 'account', 'register'], 0,
                 'another account');
    $scene->refuses(['--store', $other, 'revoke', '--cert', $file], 7,
        qr/revoking .*the CA/, "another account's certificate");

    my $before = grep { $_->[1] =~ /sign-me-up/ } $ca->requests;
    $scene->refuses(['--store', $rig->path('third'), 'revoke', '--cert',
        $file], 1, qr/no account .*--key/, 'no account and no key');
    is scalar(grep { $_->[1] =~ /sign-me-up/ } $ca->requests), $before,
        'no account was made';
    is at_ca($file)->{Status}, 'Valid', 'nothing was revoked';
}

# Which CA issued a certificate is known from the store, or from a domain
# with its name; else it has to be told.
{
    my $file = copy('b.test', 'cert.pem');
    my $second = 'https://localhost:' . $rig->port . '/dir';
    my $domains = "<ACMEDomain x.test>\nACMECertificateAuthority $second\n"
        . "</ACMEDomain>\n";
    $scene->config(domains => [['a.test']], text => $domains);
    $scene->refuses(['revoke', '--cert', $file], 2,
        qr/which CA issued \Q$file\E is not known here: .*ACMEDomain/,
        'two CAs, and no domain with the name');
}

$scene->store_ok('after revocations');
is $httpd->faults, '', 'no child of httpd crashed';
done_testing;
