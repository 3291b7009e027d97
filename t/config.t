#!/usr/bin/perl

# The directives: what `httpd -t` accepts, what it refuses and with which
# words. Every fault names the directive, the wrong value, what is allowed,
# and the file and line.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use ACME::Conf;

my $conf = ACME::Conf->new;
my $pem = $conf->write_file('roots.pem', <<'END');
A comment, as bundles have them.
-----BEGIN CERTIFICATE-----
MIIB
-----END CERTIFICATE-----
END

# A configuration that httpd accepts without a word from us.
sub good
{
    my ($text, $what, %opt) = @_;
    my $r = $conf->check($text, %opt);

    ok $r->{status} == 0 && $r->{err} !~ /ACME0/, $what
        or diag $r->{err};
    return $r;
}

# A configuration that httpd accepts with a warning.
sub warned
{
    my ($text, $like, $what, %opt) = @_;
    my $r = $conf->check($text, %opt);

    is $r->{status}, 0, "$what: accepted" or diag $r->{err};
    like $r->{err}, $like, "$what: with a warning";
    return $r;
}

# A directive that httpd refuses: the last line of text, unless told.
sub bad
{
    my ($text, $like, $what, %opt) = @_;
    my $r = $conf->check($text, %opt);
    my $line = $r->{first} - 1 + ($opt{line} // ($text =~ tr/\n//));

    is $r->{status}, 1, "$what: refused" or diag $r->{err};
    like $r->{err}, qr/\Qon line $line of $r->{file}:\E/, "$what: its place";
    like $r->{err}, $like, "$what: its reason";
    return $r;
}

# A configuration whose parts do not fit: found when all of it is read.
sub misfit
{
    my ($text, $like, $what, %opt) = @_;
    my $r = $conf->check($text, %opt);

    is $r->{status}, 1, "$what: refused" or diag $r->{err};
    like $r->{err}, $like, "$what: its reason";
    return $r;
}

# The effective settings of the domain of a name.
sub settings
{
    my ($text, $name) = @_;
    my $r = $conf->dump($text);
    my ($domain) = grep { $_->{name} eq $name } @{$r->{json}{domains} // []};

    diag $r->{err} if !$domain;
    return $domain->{settings} // {};
}

my $host = "<VirtualHost *:1>\nServerName a.example.org\n</VirtualHost>\n";
my $domain = "ACMEDomain a.example.org\n";

# ------------------------------------------------------------ each directive

# Two directives are a complete configuration of one site.
good "ACMEAgreement accepted\n${domain}$host", 'agreement and domain';

# Without any directive the module is silent.
good $host, 'no directive';

# A CA is known by its name, in any case of letters, or is a URL; several
# stand in the order of fail-over.
{
    my %url = (
        'letsencrypt' => 'https://acme-v02.api.letsencrypt.org/directory',
        'letsencrypt-staging' =>
            'https://acme-staging-v02.api.letsencrypt.org/directory',
        'google' => 'https://dv.acme-v02.api.pki.goog/directory',
        'ZeroSSL' => 'https://acme.zerossl.com/v2/DV90',
        'sslcom' => 'https://acme.ssl.com/sslcom-dv-ecc',
        'actalis' => 'https://acme-api.actalis.com/acme/directory',
        'https://127.0.0.1:14000/dir' => 'https://127.0.0.1:14000/dir',
        '"https://[::1]:14000/dir"' => 'https://[::1]:14000/dir',
    );
    for my $ca (sort keys %url) {
        is_deeply settings("ACMECertificateAuthority $ca\n$domain$host",
                           'a.example.org')->{ca}, [$url{$ca}], "CA $ca";
    }
    is_deeply settings("ACMECertificateAuthority google https://ca.test/d\n"
                       . "$domain$host", 'a.example.org')->{ca},
        [$url{google}, 'https://ca.test/d'], 'two CAs in order';
}
bad "ACMECertificateAuthority $_\n",
    qr/ACMECertificateAuthority: .*not allowed: write letsencrypt, .*https URL/,
    "CA $_"
    for 'letsencrpt', 'http://ca.test/dir', 'https://', 'https:///dir', '""',
        'ftp://ca.test/', 'https://user:pw@ca.test/d', 'https://ca.test/d#f',
        'https://ca.test:0/d', 'https://ca.test:65536/d',
        'https://ca.test:4x/d', "https://ca.test/\x01",
        "https://ca.test/\xc3\xa4", '"https://ca.test/a b"',
        'google ftp://ca.test/', 'https://ca.test/' . 'x' x 2048;
bad "ACMECertificateAuthority google GOOGLE\n", qr/"GOOGLE" is there twice/,
    'the same CA twice';
bad "ACMECertificateAuthority\n", qr/a value is missing: write letsenc/,
    'no CA';

# Trust roots are a readable file of PEM certificates, relative to
# ServerRoot like every path.
is settings("ACMECACertificateFile roots.pem\n$domain$host",
            'a.example.org')->{ca_certificate_file}, $pem,
    'a relative path of trust roots';
good "ACMECACertificateFile \"$pem\"\n$domain$host", 'an absolute path';
$conf->write_file('empty.pem', '');
$conf->write_file('text.pem', "no certificate\n");
bad "ACMECACertificateFile missing.pem\n",
    qr/"\S+missing.pem" cannot be used: No such file/, 'roots: no file';
bad "ACMECACertificateFile htdocs\n", qr/not a regular file/,
    'roots: a directory';
bad "ACMECACertificateFile /dev/null\n", qr/not a regular file/,
    'roots: a device';
bad "ACMECACertificateFile $_.pem\n", qr/holds no PEM certificate/,
    "roots: $_ file" for qw(empty text);
bad "ACMECACertificateFile \"\"\n", qr/"" is not allowed: write the path/,
    'roots: empty path';
bad "ACMECACertificateFile roots.pem b.pem\n", qr/"b.pem" is too much/,
    'roots: two paths';
SKIP: {
    skip 'needs root', 3 if $>;
    chmod 0600, $conf->write_file('closed.pem', $conf->read_file('roots.pem'));
    bad "ACMECACertificateFile closed.pem\n", qr/Permission denied/,
        'roots: not readable', user => 'nobody';
}

# The terms of service are accepted by one word and by nothing else.
is settings("$domain$host", 'a.example.org')->{agreement},
    JSON::PP::false(), 'agreement is not taken for granted';
is settings("ACMEAgreement Accepted\n$domain$host",
            'a.example.org')->{agreement}, JSON::PP::true(), 'accepted';
bad "ACMEAgreement $_\n", qr/ACMEAgreement: .*write accepted/,
    "agreement: $_"
    for 'yes', 'https://ca.test/tos', '""', 'accepted twice';
bad "ACMEAgreement\n", qr/a value is missing: write accepted/, 'agreement';

# Contacts are mail addresses, with or without the scheme; the default is a
# ServerAdmin that is one.
{
    my $contact = sub {
        return settings("$_[0]\n$domain$host", 'a.example.org')->{contact};
    };
    is_deeply $contact->('ACMEContact mailto:a@example.org b+c@Example.org'),
        ['mailto:a@example.org', 'mailto:b+c@example.org'], 'two contacts';
    is_deeply $contact->("ServerAdmin a\@example.org\nACMEContact none"), [],
        'none means none';
    is_deeply $contact->('ServerAdmin a@example.org'),
        ['mailto:a@example.org'], 'ServerAdmin is the default';
    is_deeply $contact->("ServerAdmin $_"), [], "ServerAdmin $_ is no default"
        for 'webmaster@localhost', 'https://example.org/contact';
    is_deeply $contact->(''), [], 'no ServerAdmin, no contact';
}
bad "ACMEContact $_\n", qr/ACMEContact: .*write mail addresses/,
    "contact: $_"
    for 'tel:+123', 'mailto:', 'a', '@example.org', 'a@', 'a@localhost',
        'a@127.0.0.1', 'a@b@example.org', 'mailto:a@example.org?subject=x',
        'a@example.org,b@example.org', 'a%40b@example.org', '""',
        '.a@example.org', 'a.@example.org', 'a..b@example.org',
        "\xc3\xa4\@example.org", 'a@example.org none', 'none none',
        'x' x 65 . '@example.org';
bad "ACMEContact a\@example.org mailto:a\@example.org\n", qr/there twice/,
    'the same contact twice';
bad "ACMEContact\n", qr/a value is missing/, 'contact';

# This version answers http-01 and tls-alpn-01 challenges; those of the DNS
# are refused by name.
is_deeply settings("ACMEChallenges HTTP-01\n$domain$host",
                   'a.example.org')->{challenges}, ['http-01'], 'http-01';
bad "ACMEChallenges $_\n",
    qr/ACMEChallenges: this version does not offer "$_" yet: write http-01/,
    "challenge $_" for 'dns-01';
is_deeply settings("ACMEChallenges TLS-ALPN-01 http-01\n$domain$host",
                   'a.example.org')->{challenges},
    ['tls-alpn-01', 'http-01'], 'both, in the order written';
is_deeply settings("$domain$host", 'a.example.org')->{challenges},
    ['http-01', 'tls-alpn-01'], 'the default: all there are';
bad "ACMEChallenges http-01 dns-01\n", qr/does not offer "dns-01"/,
    'challenge dns-01 in second place';
bad "ACMEChallenges $_\n", qr/"$_" is not allowed: write http-01/,
    "challenge $_" for 'http-02', 'tls-sni-01', 'http';
bad "ACMEChallenges http-01 http-01\n", qr/"http-01" is there twice/,
    'a challenge twice';
bad "ACMEChallenges\n", qr/a value is missing: write http-01/, 'challenges';

# One certificate for each type of key.
is_deeply settings("ACMEPrivateKeys p-256 RSA-2048 P-384 rsa-3072 RSA-4096\n"
                   . "$domain$host", 'a.example.org')->{private_keys},
    ['P-256', 'RSA-2048', 'P-384', 'RSA-3072', 'RSA-4096'], 'all key types';
is_deeply settings("$domain$host", 'a.example.org')->{private_keys},
    ['P-256'], 'the default key type';
bad "ACMEPrivateKeys $_\n",
    qr/ACMEPrivateKeys: .*not allowed: write one or more of P-256/,
    "key type $_" for 'RSA', 'RSA-1024', 'P-521', 'Ed25519', '2048', '""';
bad "ACMEPrivateKeys P-256 p-256\n", qr/"P-256" is there twice/,
    'a key type twice';
bad "ACMEPrivateKeys\n", qr/a value is missing/, 'private keys';

# When to renew: the mode and the window.
for my $mode (qw(auto always manual)) {
    is settings("ACMERenewMode \u$mode\n$domain$host",
                'a.example.org')->{renew_mode}, $mode, "mode $mode";
}
is settings("$domain$host", 'a.example.org')->{renew_mode}, 'auto',
    'the default mode';
bad "ACMERenewMode $_\n", qr/ACMERenewMode: .*write auto, always or manual/,
    "mode $_" for 'on', '""', 'auto manual', 'autos';
bad "ACMERenewMode\n", qr/a value is missing/, 'mode';
{
    my %window = ('1%' => { percent => 1 }, '99%' => { percent => 99 },
                  '1d' => { days => 1 }, '3650D' => { days => 3650 });
    for my $value (sort keys %window) {
        is_deeply settings("ACMERenewWindow $value\n$domain$host",
                           'a.example.org')->{renew_window}, $window{$value},
            "window $value";
    }
    is settings("$domain$host", 'a.example.org')->{renew_window}, undef,
        'no window: the rule of the default';
}
bad "ACMERenewWindow $_\n", qr/ACMERenewWindow: .*write 1% to 99%/,
    "window $_"
    for '0%', '100%', '0d', '3651d', '30', 'd', '%', '-1d', '1.5d', '1 d',
        '33%%', '10h', '99999999999999999999d', '""', '10d 20d', '+5d';
bad "ACMERenewWindow\n", qr/a value is missing/, 'window';

# Certificates that must be stapled are for those who ask for them.
is settings("$domain$host", 'a.example.org')->{must_staple},
    JSON::PP::false(), 'no must-staple by default';
is settings("ACMEMustStaple ON\n$domain$host", 'a.example.org')->{must_staple},
    JSON::PP::true(), 'must-staple';
is settings("ACMEMustStaple on\n<ACMEDomain a.example.org>\n"
            . "ACMEMustStaple off\n</ACMEDomain>\n$host",
            'a.example.org')->{must_staple}, JSON::PP::false(),
    'must-staple off for one domain';
bad "ACMEMustStaple $_\n", qr/ACMEMustStaple: .*write on or off/,
    "must-staple $_" for 'yes', '1', '""', 'on off';
bad "ACMEMustStaple\n", qr/a value is missing/, 'must-staple';

# The manager is on unless it is switched off.
{
    my $manager = sub {
        return $conf->dump("$_[0]\n")->{json}{server}{manager} ? 1 : 0;
    };
    is $manager->(''), 1, 'the manager by default';
    is $manager->('ACMEManager Off'), 0, 'the manager off';
    is $manager->("ACMEManager off\nACMEManager on"), 1, 'the last one counts';
}
bad "ACMEManager $_\n", qr/ACMEManager: .*write on or off/, "manager $_"
    for 'yes', '1', '""', 'on off';
bad "ACMEManager\n", qr/a value is missing/, 'manager';

# So is the section in server-status.
good "ACMEServerStatus $_\n", "server status $_" for 'on', 'Off';
bad "ACMEServerStatus $_\n", qr/ACMEServerStatus: .*write on or off/,
    "server status $_" for 'yes', '""', 'on off';
bad "ACMEServerStatus\n", qr/a value is missing/, 'server status';

# The program for events: a path that may be relative to ServerRoot, and its
# first arguments. Nobody but root may be able to change it.
{
    my $hook = $conf->write_file('hook', "#!/bin/sh\n", 0755);
    my $notify = sub { return $conf->dump("$_[0]\n")->{json}{server}{notify} };

    is_deeply $notify->(''), [], 'no program by default';
    is_deeply $notify->("ACMENotify $hook"), [$hook], 'a program';
    is_deeply $notify->('ACMENotify hook -v "two words" ""'),
        [$hook, '-v', 'two words', ''], 'relative, with arguments';
    is_deeply $notify->("ACMENotify hook @{[1 .. 100]}"), [$hook, 1 .. 100],
        'with many arguments';
    bad "ACMENotify hook\nACMENotify hook\n", qr/ACMENotify is there twice/,
        'two programs';
    bad "ACMENotify hook @{['x' x 8200]}\n", qr/is not allowed: write the path/,
        'a command line without end';
    bad "ACMENotify $_\n", qr/ACMENotify: ".*" cannot be used: .*write the path/,
        "program $_" for 'absent', 'htdocs', '/dev/null', 'roots.pem';
    bad "<VirtualHost *:80>\nACMENotify hook\n</VirtualHost>\n",
        qr/ACMENotify (?:cannot occur|not allowed)/, 'in a host', line => 2;
    bad "<ACMEDomain a.test>\nACMENotify hook\n</ACMEDomain>\n",
        qr/setting of the whole server/, 'in a domain', line => 2;
    chmod 0777, $hook;
    bad "ACMENotify hook\n", qr/others than root can write it: .*chmod go-w/,
        'a program that others can write';
}
bad "ACMENotify\n", qr/a value is missing/, 'notify';
bad "ACMENotify \"\"\n", qr/is not allowed/, 'notify nothing';

# The store is a directory; it need not exist yet.
{
    my $store = sub { return $conf->dump("$_[0]\n")->{json}{server}{store} };
    is $store->('ACMEStoreDir acme/store'), $conf->path('acme/store'),
        'a relative store';
    is $store->("ACMEStoreDir one\nACMEStoreDir /tmp/two"), '/tmp/two',
        'the last one counts';
    like $store->(''), qr{^/.*/acme$}, 'the default store';
}
bad "ACMEStoreDir roots.pem\n", qr/cannot be used: it is not a directory/,
    'store: a file';
bad "ACMEStoreDir \"\"\n", qr/"" is not allowed: write the path/,
    'store: empty path';
bad "ACMEStoreDir a b\n", qr/"b" is too much/, 'store: two paths';
bad "ACMEStoreDir\n", qr/a value is missing/, 'store';

# The port map says where the public ports 80 and 443 arrive.
{
    my $map = sub { return $conf->dump("$_[0]\n")->{json}{server}{port_map} };
    is_deeply $map->(''), { http => 80, https => 443 }, 'the default ports';
    is_deeply $map->('ACMEPortMap http:8080 https:8443'),
        { http => 8080, https => 8443 }, 'both ports';
    is_deeply $map->('ACMEPortMap HTTPS:1 HTTP:65535'),
        { http => 65535, https => 1 }, 'in any order';
    is_deeply $map->('ACMEPortMap http:-'),
        { http => undef, https => 443 }, 'no port 80';
    is_deeply $map->('ACMEPortMap https:-'),
        { http => 80, https => undef }, 'no port 443';
}
bad "ACMEPortMap $_\n", qr/ACMEPortMap: .*write http:PORT and https:PORT/,
    "port map $_"
    for '80:8080', 'http:0', 'http:65536', 'http:', 'https:x', 'http8080',
        'ftp:21', 'http:-1', 'http:--', 'http:80 ftp:21', '""', ':80',
        'http:80 https:443 http:1', 'http:8080x', 'http:99999999999999';
bad "ACMEPortMap http:1 http:2\n", qr/"http:2" is there twice/,
    'a port twice';
bad "ACMEPortMap\n", qr/a value is missing/, 'port map';

# A directive without an effect in this version is not accepted.
bad "$_\n", qr/Invalid command '\Q@{[(split)[0]]}\E'/, "unknown: $_"
    for 'ACMEDNSHook /bin/true',
        'ACMEProfile shortlived', 'ACMERenewalInfo off',
        'ACMEExternalAccountBinding none', 'ACMEReuseKey on', 'ACMEDomains a.b';

# --------------------------------------------------------------------- names

# Names are kept in lower case, each once, in the order written.
{
    my $r = $conf->dump("ACMEDomain B.Example.org a.example.org "
                        . "b.example.ORG xn--bcher-kva.example a-1.b2.c\n"
                        . "<VirtualHost *:1>\nServerName b.example.org\n"
                        . "</VirtualHost>\n");
    is_deeply $r->{json}{domains}[0]{names},
        ['b.example.org', 'a.example.org', 'xn--bcher-kva.example',
         'a-1.b2.c'], 'lower case, each once';
    is $r->{json}{domains}[0]{name}, 'b.example.org', 'named by the first';
}

# Names that no certificate can have are refused, each with its reason.
{
    my $long = join '.', ('a' x 63) x 3, 'b' x 58, 'org';
    my %reason = (
        'localhost' => 'has one label',
        'example.org.' => 'ends with a dot',
        '.example.org' => 'has an empty label',
        'a..example.org' => 'has an empty label',
        '.' => 'has an empty label',
        '""' => 'has an empty label',
        '-a.example.org' => 'begins or ends with a hyphen',
        'a-.example.org' => 'begins or ends with a hyphen',
        'a_b.example.org' => 'is not a domain name',
        'a/b.example.org' => 'is not a domain name',
        '%61.example.org' => 'is not a domain name',
        '"a b.example.org"' => 'is not a domain name',
        'a*.example.org' => 'is not a domain name',
        'a.*.example.org' => 'is not a domain name',
        '*.*.example.org' => 'is not a domain name',
        '*' => 'is not a domain name',
        '*.example.org' => 'is a wildcard: that needs dns-01',
        '*.org' => 'has one label',
        "b\xc3\xbccher.example" => 'is not ASCII: write it in its form of '
                                   . 'A-labels',
        '127.0.0.1' => 'is an IP address',
        '1.2' => 'is an IP address or ends with a number',
        '::1' => 'is an address',
        '[::1]' => 'is an address',
        'a.example.org:443' => 'is an address or has a port',
        'https://a.example.org' => 'is an address or has a port',
        'a' x 64 . '.example.org' => 'label of more than 63',
        $long => 'is longer than 253',
    );
    for my $name (sort keys %reason) {
        my $what = length $name > 40 ? substr($name, 0, 40) . '...' : $name;

        bad "ACMEDomain $name\n", qr/ACMEDomain: .*\Q$reason{$name}\E/,
            "name $what";
    }
    good "ACMEDomain " . substr($long, 1) . "\n<VirtualHost *:1>\nServerName "
        . substr($long, 1) . "\n</VirtualHost>\n", 'a name of 253 characters';
}
bad "ACMEDomain a.example.org localhost\n", qr/"localhost" has one label/,
    'a wrong name behind a right one';
bad "<ACMEDomain a.example.org localhost>\n</ACMEDomain>\n",
    qr/<ACMEDomain>: "localhost" has one label/, 'a wrong name in a section',
    line => 1;

# Many names: public CAs take 100, the limit is 1000. None is lost on the
# way (httpd's own splitter drops the 65th word).
{
    my $names = sub { return join ' ', map { "n$_.example.org" } 1 .. $_[0] };
    my $serve = "<VirtualHost *:1>\nServerName n1.example.org\n"
        . "</VirtualHost>\n";
    good 'ACMEDomain ' . $names->(100) . "\n$serve", '100 names';
    my $r = $conf->dump('ACMEDomain ' . $names->(200) . "\n$serve");
    is scalar @{$r->{json}{domains}[0]{names}}, 200, 'all of 200 names';
    like $r->{err}, qr/ACME0007: .*has 200 names: public CAs refuse more/,
        '200 names: a warning';
    warned 'ACMEDomain ' . $names->(1000) . "\n$serve",
        qr/has 1000 names/, '1000 names';
    misfit 'ACMEDomain ' . $names->(1001) . "\n$serve",
        qr/ACME0004: ACMEDomain at \S+conf:\d+ has 1001 names: 1000/,
        '1001 names';
    good 'ACMEDomain ' . $names->(90) . ' ' . $names->(90) . "\n$serve",
        'repeated names do not count';
}

# ------------------------------------------------------------------ contexts

# What concerns the whole server cannot stand in a virtual host, a
# directory or a domain.
{
    my %line = (
        ACMEStoreDir => 'store', ACMEPortMap => 'http:1',
        ACMEManager => 'off', ACMEServerStatus => 'off',
        ACMECertificateAuthority => 'google', ACMEAgreement => 'accepted',
        ACMECACertificateFile => 'roots.pem', ACMEContact => 'none',
        ACMEChallenges => 'http-01', ACMEPrivateKeys => 'P-256',
        ACMERenewMode => 'auto', ACMERenewWindow => '10d',
    );
    for my $name (sort keys %line) {
        bad "<VirtualHost *:1>\n$name $line{$name}\n</VirtualHost>\n",
            qr/$name cannot occur within <VirtualHost>/, "$name in a host",
            line => 2;
        bad "<Directory /x>\n$name $line{$name}\n</Directory>\n",
            qr/$name not allowed in <Directory> context/,
            "$name in a directory", line => 2;
        bad "<VirtualHost *:1>\n<If true>\n$name $line{$name}\n</If>\n"
            . "</VirtualHost>\n", qr/$name not allowed in <If> context/,
            "$name in <If>", line => 3;
    }
    for my $name (qw(ACMEStoreDir ACMEPortMap ACMEManager
                     ACMEServerStatus)) {
        bad "<ACMEDomain a.example.org>\n$name $line{$name}\n</ACMEDomain>\n",
            qr/$name is a setting of the whole server/, "$name in a domain",
            line => 2;
    }
    for my $name (sort keys %line) {
        next if $name =~ /StoreDir|PortMap|Manager|ServerStatus/;
        good "<ACMEDomain a.example.org>\n$name $line{$name}\n"
            . "</ACMEDomain>\n$host", "$name in a domain";
    }
    is_deeply [map { $conf->check("<IfModule mod_acme.c>\n$_ $line{$_}\n"
                                  . "</IfModule>\n")->{status} }
               sort keys %line], [(0) x keys %line], 'all in <IfModule>';
}
good "<VirtualHost *:1>\nServerName a.example.org\nACMERequireHTTPS $_\n"
    . "</VirtualHost>\n", "ACMERequireHTTPS $_ in a host"
    for qw(off temporary permanent);
bad "<VirtualHost *:1>\n<Location />\nACMERequireHTTPS off\n</Location>\n"
    . "</VirtualHost>\n",
    qr/ACMERequireHTTPS not allowed in <Location> context/,
    'ACMERequireHTTPS in a location', line => 3;
bad "ACMEDomain\n", qr/names are missing: .*only in <VirtualHost>/,
    'a domain without names in the main server';
bad "<ACMEDomain>\n</ACMEDomain>\n", qr/<ACMEDomain>: the names are missing/,
    'a section without names', line => 1;
bad "<ACMEDomain a.example.org\n", qr/<ACMEDomain> was not closed/,
    'a section without >', line => 1;
bad "<Directory /x>\nACMEDomain a.example.org\n</Directory>\n",
    qr/ACMEDomain not allowed in <Directory> context/,
    'a domain in a directory', line => 2;
bad "<VirtualHost *:1>\n<ACMEDomain a.example.org>\n</ACMEDomain>\n"
    . "</VirtualHost>\n", qr/<ACMEDomain> cannot occur within <VirtualHost>/,
    'a section in a host', line => 2;
bad "<ACMEDomain a.example.org>\n<ACMEDomain b.example.org>\n</ACMEDomain>\n"
    . "</ACMEDomain>\n", qr/<ACMEDomain> cannot stand in <ACMEDomain>/,
    'a section in a section', line => 2;
bad "<ACMEDomain a.example.org>\nACMEDomain b.example.org\n</ACMEDomain>\n",
    qr/ACMEDomain cannot stand in <ACMEDomain>/, 'a domain in a section',
    line => 2;
bad "<ACMEDomain a.example.org>\nACMEAgreement accepted\n$_\n</ACMEDomain>\n",
    qr/cannot stand in <ACMEDomain>: only settings of the domain/,
    "$_ in a section", line => 3
    for 'ServerName x', 'SSLEngine on', 'Nonsense';
bad "<ACMEDomain a.example.org>\n<Location />\n</Location>\n</ACMEDomain>\n",
    qr/<Location> cannot stand in <ACMEDomain>/, 'Location in a section',
    line => 2;
bad "<ACMEDomain a.example.org>\n\nACMEContact x\n</ACMEDomain>\n",
    qr/ACMEContact: "x" is not allowed/, 'a wrong value in a section',
    line => 3;

# --------------------------------------------------------------- inheritance

# A section's settings win over the server's, wherever those stand; what it
# does not set is the server's.
{
    my $text = <<"END" . $host;
ACMEPrivateKeys P-384
<ACMEDomain a.example.org>
    ACMECertificateAuthority google
    ACMEContact none
</ACMEDomain>
ACMEDomain main.test
ACMECertificateAuthority zerossl
ACMEAgreement accepted
ACMEContact all\@example.org
ACMERenewWindow 20%
ACMECACertificateFile roots.pem
ACMERenewMode always
END
    my $section = settings($text, 'a.example.org');
    my $plain = settings($text, 'main.test');
    is_deeply [@$section{qw(ca contact private_keys renew_window renew_mode
                            agreement ca_certificate_file)}],
        [['https://dv.acme-v02.api.pki.goog/directory'], [], ['P-384'],
         { percent => 20 }, 'always', JSON::PP::true(), $pem],
        'a section: its own settings, else the server\'s';
    is_deeply [@$plain{qw(ca contact)}],
        [['https://acme.zerossl.com/v2/DV90'], ['mailto:all@example.org']],
        'another domain keeps the server\'s';
}
{
    my $text = <<"END" . $host;
ACMERenewWindow 20%
ACMERenewMode always
ACMEPrivateKeys P-384
ACMEChallenges http-01
<ACMEDomain a.example.org>
    ACMERenewWindow 7d
    ACMERenewMode manual
    ACMEPrivateKeys RSA-2048
    ACMEChallenges http-01
    ACMEAgreement accepted
    ACMECACertificateFile roots.pem
</ACMEDomain>
END
    is_deeply [@{settings($text, 'a.example.org')}
               {qw(renew_window renew_mode private_keys agreement
                   ca_certificate_file)}],
        [{ days => 7 }, 'manual', ['RSA-2048'], JSON::PP::true(), $pem],
        'every setting of a section wins';
}

# ------------------------------------------------------ names and their hosts

# Without arguments a domain has the names of its host.
{
    my $r = $conf->dump(<<"END");
<VirtualHost *:1>
ServerName https://A.example.org:1
ServerAlias b.example.org a.example.org
ServerAlias c.example.org
ACMEDomain
</VirtualHost>
END
    is_deeply $r->{json}{domains}[0]{names},
        ['a.example.org', 'b.example.org', 'c.example.org'],
        'ServerName and ServerAliases';
    is_deeply $r->{json}{domains}[0]{virtual_hosts}, [0], 'served there';
    unlike $r->{err}, qr/ACME0/, 'nothing to say';
}
warned "<VirtualHost *:1>\nServerName a.example.org\nServerAlias $_\n"
    . "ACMEDomain\n</VirtualHost>\n",
    qr/ACME0003: ACMEDomain at \S+:\d+ leaves out .*"\Q$_\E"/,
    "alias $_ left out"
    for '*.example.org', 'foo?.example.org', 'intranet', '192.0.2.1';
misfit "<VirtualHost *:1>\nACMEDomain\n</VirtualHost>\n",
    qr/ACME0001: ACMEDomain at \S+:\d+: .*no ServerName: add one, or write/,
    'a host without ServerName';
misfit "<VirtualHost 127.0.0.1:1>\nServerAlias a.example.org\nACMEDomain\n"
    . "</VirtualHost>\n", qr/ACME0001/,
    'an address whose reverse name is not a ServerName';
misfit "<VirtualHost *:1>\nServerName $_\nACMEDomain\n</VirtualHost>\n",
    qr/ACME0002: ACMEDomain at \S+:\d+: the ServerName .*"\Q$_\E"/,
    "ServerName $_" for 'localhost', '192.0.2.1', 'a_b.example.org';

# A host can hold a domain with names of its own choice.
good "<VirtualHost *:1>\nServerName a.example.org\n"
    . "ACMEDomain a.example.org b.example.org\n</VirtualHost>\n",
    'a domain with names in a host';

# A name belongs to one domain; both places are named.
{
    my $other = $conf->write_file('conf/other.conf',
                                  "\nACMEDomain b.example.org "
                                  . "A.example.org\n");
    my $r = misfit("ACMEDomain a.example.org c.example.org\nInclude $other\n"
                   . $host, qr/ACME0005/, 'a name in two domains');
    like $r->{err}, qr/a\.example\.org is in two domains: at \Q$r->{file}\E/,
        'with its first file';
    like $r->{err}, qr/:$r->{first} and at \Q$other:2:\E leave/,
        'with the lines and the second file';
}
{
    my $r = misfit(join('', map { "ACMEDomain a$_.test b.test\n" } 1 .. 4),
                   qr/ACME0005/, 'many conflicts');
    is scalar(() = $r->{err} =~ /ACME0005/g), 3, 'all of them reported';
}
misfit "ACMEDomain a.example.org b.example.org\n<VirtualHost *:1>\n"
    . "ServerName a.example.org\nACMEDomain\n</VirtualHost>\n",
    qr/ACME0005: .*a.example.org is in two domains/,
    'a host that claims a part of a domain';

# A start finds what httpd -t finds, and ends before it serves anybody.
{
    my $text = "ACMEDomain a.test b.test\nACMEDomain b.test c.test\n";
    my $test = $conf->check($text);
    my $start = $conf->run_httpd(['-f', $test->{file}, '-X'], timeout => 20);
    my ($found) = $test->{err} =~ /(ACME0005.*)/;

    is $start->{status}, 1, 'a start with a conflict fails';
    like $start->{err}, qr/\Q$found\E/, 'with the words of httpd -t';
}

# Domains of the same names are one: a site's hosts on both ports may each
# say ACMEDomain, in any order of names.
{
    my $r = $conf->dump(<<"END");
<VirtualHost *:1>
ServerName a.example.org
ServerAlias b.example.org
ACMEDomain
</VirtualHost>
<VirtualHost *:2>
ServerName b.example.org
ServerAlias a.example.org
ACMEDomain
</VirtualHost>
ACMEDomain b.example.org a.example.org
END
    is scalar @{$r->{json}{domains}}, 1, 'the same names, one domain';
    is_deeply $r->{json}{domains}[0]{virtual_hosts}, [0, 1], 'of both hosts';
    unlike $r->{err}, qr/ACME0/, 'nothing to say';
    $r = $conf->dump(<<"END");
<VirtualHost *:1>
ServerName a.example.org
ACMEDomain
</VirtualHost>
<ACMEDomain a.example.org>
ACMERenewMode manual
</ACMEDomain>
END
    is_deeply [map { $_->{settings}{renew_mode} } @{$r->{json}{domains}}],
        ['manual'], 'a section brings the settings, wherever it stands';
}
misfit "<ACMEDomain a.example.org>\n</ACMEDomain>\n"
    . "<ACMEDomain a.example.org>\n</ACMEDomain>\n$host",
    qr/ACME0006: <ACMEDomain> at \S+:\d+ has the names of <ACMEDomain> at/,
    'two sections of the same names';

# A domain that nobody serves can get no certificate by http-01.
{
    my $r = warned("$domain\nACMEDomain b.example.org c.example.org\n$host",
                   qr/ACME0008/, 'a domain without host');
    my $line = $r->{first} + 2;
    like $r->{err},
        qr/ACME0008: ACMEDomain b.example.org at \Q$r->{file}:$line:\E no/,
        'its name and place';
    is scalar(() = $r->{err} =~ /ACME0008/g), 1, 'only that';
}
good "ACMEDomain main.test\n$host", 'the main server serves its name';
good "ACMEDomain x.example.org\n<VirtualHost *:1>\nServerName y.test\n"
    . "ServerAlias *.EXAMPLE.org\n</VirtualHost>\n", 'served by a wildcard';
good "ACMEDomain x.example.org\n<VirtualHost *:1>\nServerName y.test\n"
    . "ServerAlias $_\n</VirtualHost>\n", "served by alias $_"
    for '?.example.org', '*', 'x.*', '*.org', 'x.exampl?.org';
warned "ACMEDomain x.example.org\n<VirtualHost *:1>\nServerName y.test\n"
    . "ServerAlias $_\n</VirtualHost>\n", qr/ACME0008/,
    "not served by alias $_"
    for '??.example.org', 'y.*', '*.net', '*.x.example.org';

# --------------------------------------------------- mod_ssl and its shadows

# Whichever module is loaded first, mod_ssl's directives work as without us.
my $tls = sub { return "<VirtualHost *:1>\nServerName a.example.org\n$_[0]\n"
    . "</VirtualHost>\n" };
for my $order ([qw(authz_core socache_shmcb ssl acme)],
               [qw(authz_core acme socache_shmcb ssl)]) {
    my $first = $order->[1] eq 'acme' ? 'acme first' : 'ssl first';
    my @without = grep { $_ ne 'acme' } @$order;
    my $state = sub {
        my $r = $conf->dump($tls->($_[0]), modules => $order);
        return [@{$r->{json}{virtual_hosts}[0]}{qw(ssl certificate_file)}];
    };
    my ($no, $yes) = (undef, JSON::PP::true());

    is_deeply $state->('SSLEngine on'), [$yes, $no], "$first: SSLEngine on";
    is_deeply $state->('SSLEngine off'), [$no, $no], "$first: SSLEngine off";
    is_deeply $state->(''), [$no, $no], "$first: no SSLEngine";
    is_deeply $state->("SSLCertificateFile $pem\nsslengine ON"),
        [$yes, $yes], "$first: SSLCertificateFile";
    for my $line ('SSLEngine maybe', 'SSLEngine', 'SSLEngine on off',
                  'SSLCertificateFile /missing.pem', 'SSLCertificateFile',
                  'SSLUseStapling maybe', 'SSLUseStapling') {
        is refusal($conf->check($tls->($line), modules => $order)),
            refusal($conf->check($tls->($line), modules => \@without)),
            "$first: '$line' is mod_ssl's to refuse";
    }
    my $dir = "<Directory /x>\nSSLEngine on\n</Directory>\n";
    is refusal($conf->check($dir, modules => $order)),
        refusal($conf->check($dir, modules => \@without)),
        "$first: a wrong place is mod_ssl's to refuse";
    my $list = "<Directory /x>\nAllowOverrideList SSLEngine ACMEStoreDir\n"
        . "</Directory>\n";
    like $conf->check($list, modules => $order)->{err},
        qr/Discarding directive .$_. not allowed in AllowOverrideList/,
        "$first: $_ stays out of .htaccess"
        for qw(SSLEngine ACMEStoreDir);
}

# The message of a refused configuration, without the line it names.
sub refusal
{
    my ($r) = @_;
    my ($text) = $r->{err} =~ /^.*?on line \d+ of \S+:\s*(.*)/s;

    return "$r->{status} " . ($text // $r->{err});
}

# Without mod_ssl its directives are as unknown as without us.
for my $text ($tls->('SSLEngine on'), $tls->('SSLEngine'),
              $tls->("SSLCertificateFile $pem"), "SSLEngine on\n") {
    my $with = refusal($conf->check($text, modules => [qw(authz_core acme)]));

    like $with, qr/^1 Invalid command 'ssl\w+'/i, 'mod_ssl not loaded';
    is $with, refusal($conf->check($text, modules => [qw(authz_core)])),
        'the same words as without mod_acme';
}

# SSLEngine and SSLCertificateFile of the main server are inherited, and a
# certificate file with an https listener is TLS without SSLEngine.
{
    my $ssl = sub {
        my $r = $conf->dump($_[0]);
        return [map { $_->{ssl} ? 1 : 0 } @{$r->{json}{virtual_hosts}}];
    };
    is_deeply $ssl->("SSLEngine on\n" . $tls->('') . $tls->('SSLEngine off')),
        [1, 0], 'SSLEngine is inherited, and off is off';
    is_deeply $ssl->("Listen 127.0.0.1:2 https\n<VirtualHost 127.0.0.1:2>\n"
                     . "ServerName a.test\nSSLCertificateFile $pem\n"
                     . "</VirtualHost>\n<VirtualHost 127.0.0.1:2>\n"
                     . "ServerName b.test\n</VirtualHost>\n"
                     . "<VirtualHost 127.0.0.1:1>\nServerName c.test\n"
                     . "SSLCertificateFile $pem\n</VirtualHost>\n"),
        [1, 0, 0], 'a certificate and an https listener';
    my $r = $conf->dump("SSLCertificateFile $pem\n" . $tls->(''));
    ok $r->{json}{virtual_hosts}[0]{certificate_file},
        'SSLCertificateFile is inherited';
}

# So is SSLUseStapling.
{
    my $r = $conf->dump("SSLUseStapling on\n" . $tls->('')
                        . $tls->('SSLUseStapling off'));
    is_deeply [map { $_->{stapling} ? 1 : 0 } @{$r->{json}{virtual_hosts}}],
        [1, 0], 'SSLUseStapling is inherited, and off is off';
    ok !$conf->dump($tls->(''))->{json}{virtual_hosts}[0]{stapling},
        'off by default';
}

# A TLS host that answers to more names than its certificate has is
# reported, once.
warned "$domain<VirtualHost *:1>\nServerName a.example.org\n"
    . "ServerAlias b.example.org c.example.org\nSSLEngine on\n"
    . "</VirtualHost>\n",
    qr/ACME0009: the virtual host at \S+:\d+ answers to b\.\S+ and other names/,
    'names without certificate';
good "$domain<VirtualHost *:1>\nServerName a.example.org\n"
    . "ServerAlias b.example.org\n$_\n</VirtualHost>\n",
    "no matter: $_" for 'SSLEngine off',
    "SSLEngine on\nSSLCertificateFile $pem";

done_testing;
