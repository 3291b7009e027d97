#!/usr/bin/perl

# Domains that name one CA share what there is of it: httpd -t says where they
# do not agree.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use ACME::Conf;

my $conf = ACME::Conf->new;
my $pem = $conf->write_file('roots.pem', <<'END');
-----BEGIN CERTIFICATE-----
MIIB
-----END CERTIFICATE-----
END

# Three domains of one CA, the second and third with the same settings.
# Returns what httpd -t says.
sub said
{
    my ($one, $other) = @_;
    my $r = $conf->check("ACMECertificateAuthority https://ca.test/d\n"
        . "ACMEContact none\n<ACMEDomain a.example.org>\n$one\n"
        . "</ACMEDomain>\n"
        . join('', map { "<ACMEDomain $_.example.org>\n$other\n"
                         . "</ACMEDomain>\n" } qw(b c))
        . join('', map { "<VirtualHost *:1>\nServerName $_.example.org\n"
                         . "</VirtualHost>\n" } qw(a b c)));

    is $r->{status}, 0, 'accepted' or diag $r->{err};
    return $r->{err};
}

# There is one account at a CA, and one way to it: domains that name it with
# something else than each other are told so, once for a CA.
for (['ACMEAgreement accepted', '', 'ACMEAgreement'],
     ['', 'ACMEAgreement accepted', 'ACMEAgreement'],
     ['ACMEContact a@example.org', 'ACMEContact b@example.org',
      'ACMEContact'],
     ['', 'ACMEContact b@example.org', 'ACMEContact'],
     ["ACMECACertificateFile $pem", '', 'ACMECACertificateFile']) {
    my ($one, $other, $directive) = @$_;
    my @lines = grep { /ACME0011/ } split /\n/, said($one, $other);

    is scalar(@lines), 1, "another $directive: one line";
    like $lines[0] // '', qr{ACMEDomain a\.example\.org at \S+:\d+ and b\.ex},
        'names the domains';
    like $lines[0] // '', qr{the CA https://ca\.test/d, .*same \Q$directive:},
        'and what they differ in';
}

# The same in other words is the same, and other CAs are another matter.
is said('ACMEContact a@example.org', 'ACMEContact mailto:a@Example.org')
    =~ /ACME0/, '', 'the same contact';
is said('ACMEContact a@example.org', "ACMEContact b\@example.org\n"
        . 'ACMECertificateAuthority https://other.test/d') =~ /ACME0/, '',
    'another CA';
done_testing;
