#!/usr/bin/perl

# acmectl account: register and show; what happens when the CA does not want
# an account, or has forgotten it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use JSON::PP ();

use ACME::Scene;

my $scene = ACME::Scene->new;
my ($rig, $httpd, $ca) = ($scene->rig, $scene->httpd, $scene->ca);
my $json = JSON::PP->new->utf8;
my $store = $scene->store;

sub registrations
{
    return scalar grep { $_->[1] =~ /sign-me-up/ } $ca->requests;
}

# The entry of a CA (the first one's, unless told).
sub account_of
{
    my ($r, $url) = @_;
    my ($found) = grep { $_->{ca} eq ($url // $ca->directory) }
        @{$r->{json}{accounts}};

    return $found // {};
}

sub key_file { my ($file) = glob "$store/accounts/*/key.pem"; return $file }

# Before anything: an account that is not there, and nothing is made.
{
    $scene->config(domains => [['a.test']])->start;
    my $r = $scene->ends(['account', 'show'], 0, 'show before register');
    is_deeply account_of($r), { ca => $ca->directory, url => undef,
        status => 'none', contact => [], thumbprint => undef }, 'none yet';
    is scalar(() = $ca->requests), 0, 'the CA was not asked';
    ok !-e "$store/accounts", 'nothing was made';
}

# Without the agreement the CA's terms are named, and no account is made.
{
    $scene->config(domains => [['a.test']], agreement => 0);
    my $r = $scene->refuses(['account', 'register'], 1,
        qr{terms of service \S+ must be agreed to; .*"ACMEAgreement accepted"},
        'no agreement');
    is registrations(), 0, 'no account was asked for';
}

# A contact that the CA refuses, in its own words.
{
    $scene->config(domains => [['a.test']],
                   contact => 'x@example.org y@example.org z@example.org');
    $scene->refuses(['account', 'register'], 7,
        qr/making the account: .*too many contacts/, 'too many contacts',
        changes => 1);
    is account_of($scene->ctl('--json', 'account', 'show'))->{status}, 'none',
        'there is no account';
    my ($key) = key_file();
    ok -s $key, 'but its key, for the next try';
}

# Register: one account, its URL, contact and key thumbprint; the key is
# private and the same that the earlier tries made.
{
    my $key = $rig->read_file(key_file());
    $scene->config(domains => [['a.test']],
                   contact => 'x@example.org mailto:y@example.org');
    my $r = $scene->ends(['account', 'register'], 0, 'register');
    my $account = account_of($r);

    ok $r->{json}{changed}, 'something changed';
    is $account->{status}, 'valid', 'valid';
    like $account->{url}, qr{^https://localhost:\d+/my-account/}, 'its URL';
    is_deeply $account->{contact},
        ['mailto:x@example.org', 'mailto:y@example.org'], 'its contact';
    like $account->{thumbprint}, qr/^[\w-]{43}$/, 'its thumbprint';
    is $rig->read_file(key_file()), $key, 'with the key that was there';
    is((stat key_file())[2] & 0777, 0600, 'which is private');
    like $rig->openssl('pkey', '-in', key_file(), '-noout', '-text'),
        qr/prime256v1/, 'and P-256';
    is_deeply account_of($scene->ctl('--json', 'account', 'show')), $account,
        'show tells the same';
    my $text = $scene->ctl('account', 'show')->{out};
    like $text, qr/^\s+$_->[0]\s+\Q$_->[1]\E/m, "text: $_->[0]"
        for [account => $account->{url}], [status => 'valid'],
            [contact => 'mailto:x@example.org'],
            [thumbprint => $account->{thumbprint}];
    $scene->store_ok('after register');
}

# Registering again is the same account, and changes nothing.
{
    my $before = account_of($scene->ctl('--json', 'account', 'show'));
    my $r = $scene->ends(['--exit-changed', 'account', 'register'], 0,
                         'register again');
    is_deeply account_of($r), $before, 'the same account';
    ok !$r->{json}{changed}, 'nothing changed';
}

# account.json is lost: the CA knows the key (RFC 8555 7.3: status 200), so
# the account is found again.
{
    my ($file) = glob "$store/accounts/*/account.json";
    my $before = account_of($scene->ctl('--json', 'account', 'show'));
    unlink $file;
    my $r = $scene->ends(['account', 'register'], 0, 'account.json is lost');
    is account_of($r)->{url}, $before->{url}, 'the old account is found';
    unlink $file;
    $scene->ends(['issue', 'a.test'], 0, 'an order finds it too');
    is account_of($scene->ctl('--json', 'account', 'show'))->{url},
        $before->{url}, 'the same';
    $rig->write_file($file, '{"schema": "acme-account/1"', 0600);
    $scene->ends(['issue', '--force', 'a.test'], 0,
                 'a damaged account.json is as good as none');
    is account_of($scene->ctl('--json', 'account', 'show'))->{url},
        $before->{url}, 'the same';
}

# The CA has lost the account (Pebble keeps nothing): it is registered
# again, once, with the same key, and the order goes on.
{
    my $before = account_of($scene->ctl('--json', 'account', 'show'));
    my $key = $rig->read_file(key_file());
    $scene->config(domains => [map { ["$_.test"] } qw(a b c d e)]);
    $httpd->graceful;
    $ca->restart;
    my $count = registrations();
    my $r = $scene->ends(['renew', '--force'], 0,
                         'the account is lost at the CA');

    is scalar(grep { $_->{result} eq 'issued' } @{$r->{json}{results}}), 5,
        'five orders go on';
    is registrations() - $count, 1, 'after one registration';
    my $after = account_of($scene->ctl('--json', 'account', 'show'));
    isnt $after->{url}, $before->{url}, 'another account';
    is $after->{thumbprint}, $before->{thumbprint}, 'of the same key';
    is $rig->read_file(key_file()), $key, 'which was not touched';
    $scene->serves_ok("$_.test") for qw(a b c d e);

    # The same for a single order that was begun before.
    $ca->restart;
    $count = registrations();
    $scene->ends(['issue', '--force', 'a.test'], 0, 'lost again');
    is registrations() - $count, 1, 'one registration';

    # account register finds out too.
    $ca->restart;
    $r = $scene->ends(['account', 'register'], 0, 'register after a loss');
    isnt account_of($r)->{url}, $after->{url}, 'a new account';
    $scene->ends(['issue', '--force', 'a.test'], 0, 'that can order');
}

# Two CAs: an account and a key at each, shown both; one that fails does not
# hold up the other.
{
    my $other = ACME::Rig::Pebble->new($rig, name => 'other',
        http => $httpd->http, https => $httpd->https);
    $other->start;
    my $roots = $rig->write_file('roots.pem',
        $rig->read_file($ca->ca_file) . $rig->read_file($other->ca_file));
    my $text = "<ACMEDomain o.test>\nACMECertificateAuthority "
        . $other->directory . "\n</ACMEDomain>\n" . $scene->host('o.test');
    $scene->config(domains => [['a.test']], ca_file => $roots,
                   text => $text);
    $httpd->graceful;

    my $r = $scene->ends(['account', 'show'], 0, 'two CAs');
    is account_of($r, $other->directory)->{status}, 'none',
        'an account at the first only';
    $other->halt;
    $r = $scene->ends(['account', 'register'], 3, 'the second is down');
    like $r->{json}{error}{detail}, qr/cannot reach the CA at/,
        'it says why';
    is account_of($r)->{status}, 'valid', 'the first has its account';
    $other->start;
    $r = $scene->ends(['account', 'register'], 0, 'register at both');
    my @both = map { account_of($r, $_->directory) } $ca, $other;
    is_deeply [map { $_->{status} } @both], ['valid', 'valid'], 'both valid';
    isnt $both[0]{thumbprint}, $both[1]{thumbprint}, 'with a key each';
    $scene->ends(['renew'], 0, 'renew at both CAs');
    is_deeply $httpd->get_tls('o.test', '/', ca => $other->roots_file)
        ->{cert}{names}, ['o.test'], "the second CA's certificate is served";

    # A CA that is not configured any more still shows its account.
    $scene->config(domains => [['a.test']], ca_file => $roots);
    $r = $scene->ends(['account', 'show'], 0, 'one CA is not used any more');
    is account_of($r, $other->directory)->{status}, 'valid',
        'its account is shown';
    $other->stop;
    $scene->store_ok('with two CAs');
}

# Nothing configured.
{
    $scene->config(ca => [$ca->directory]);
    $scene->refuses(['account', 'register'], 2,
        qr/no ACMEDomain, so there is no CA/, 'no ACMEDomain');
}

# A CA that wants its accounts bound to a customer.
{
    my $bound = ACME::Rig::Pebble->new($rig, name => 'bound',
        http => $httpd->http, eab => { kid => 'zWNDZM6eQGHWpSRTPal5eIUYFTu7'
        . 'EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W' });
    $bound->start;
    $scene->config(domains => [['a.test']], ca => [$bound->directory],
                   ca_file => $bound->ca_file);
    $scene->refuses(['account', 'register'], 7,
        qr/bound to one of its customers .*not supported/,
        'external account binding', changes => 1);
    $bound->stop;
}

is $httpd->faults, '', 'no child of httpd crashed';
done_testing;
