#!/usr/bin/perl

# Which certificate a virtual host without SSLCertificateFile serves: the
# stand-in, then the stored one, and the stand-in again where the store holds
# nothing that can be served. Whatever the store holds, httpd starts.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use File::Copy qw(copy);
use IO::Socket::SSL;

use ACME::Rig;
use ACME::Rig::Httpd;

ACME::Rig::skip_unless_able(qw(openssl curl));

my $TOKEN = 'LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0';
my $CHALLENGE = "/.well-known/acme-challenge/$TOKEN";
my $STANDIN = qr/mod_acme stand-in/;

my $rig = ACME::Rig->new;
my $live_put = ACME::Rig::builddir() . '/t/lib/live_put';
plan skip_all => "$live_put is not built" if !-x $live_put;

my $own = $rig->make_tls('own', names => ['own.test']);
my %pair = (
    a => $rig->make_tls('a', names => ['a.test', 'www.a.test']),
    rsa => $rig->make_tls('rsa', names => ['a.test'], key => 'rsa'),
    b => $rig->make_tls('b', names => ['b.test']),
    b2 => $rig->make_tls('b2', names => ['b.test']),
    c => $rig->make_tls('c', names => ['c.test']),
);

sub config
{
    my ($httpd, $global, %lines) = @_;
    my ($http, $https, $root) = ($httpd->http, $httpd->https, $httpd->root);
    my $host = sub {
        my ($name, $more) = @_;
        return "<VirtualHost *:$https>\nServerName $name\nSSLEngine on\n"
            . ($more // '') . "\n" . ($lines{$name} // '')
            . "\n</VirtualHost>\n";
    };

    return ($global // '') . <<"END"
Protocols h2 http/1.1
<Directory />
    Require all granted
</Directory>
ACMEPrivateKeys P-256 RSA-2048
ACMEDomain a.test www.a.test
ACMEDomain b.test
ACMEDomain c.test
<VirtualHost *:$http>
    ServerName a.test
    ServerAlias b.test
</VirtualHost>
END
        . $host->('a.test', 'ServerAlias www.a.test')
        . $host->('b.test') . $host->('c.test')
        . $host->('own.test', "SSLCertificateFile $own->{cert}\n"
                  . "SSLCertificateKeyFile $own->{key}");
}

sub make_httpd
{
    my ($name, %opt) = @_;
    my $httpd = ACME::Rig::Httpd->new($rig, name => $name,
        more => ['http2', @{delete $opt{more} // []}], %opt);

    $httpd->write_page('index.html', "the page\n");
    $httpd->write_page('sorry.html', "sorry\n");
    $httpd->write_config(config($httpd));
    return $httpd;
}

# Store a pair as acmectl does: a new generation, then the link.
sub store
{
    my ($httpd, $id, $tls) = @_;
    my $dir = $httpd->store . "/domains/$id";
    my $generation = sprintf '%08d', 1 + grep { -d } glob "$dir/0*";

    $rig->make_dir($_, 0700) for $httpd->store, $httpd->store . '/domains',
        $dir, "$dir/$generation";
    copy($tls->{cert}, "$dir/$generation/fullchain.pem") or die $!;
    copy($tls->{key}, "$dir/$generation/key.pem") or die $!;
    chmod 0600, "$dir/$generation/key.pem";
    unlink "$dir/current";
    symlink $generation, "$dir/current" or die $!;
    return "$dir/$generation";
}

sub sha256
{
    my ($file) = @_;
    my $result = $rig->run(['openssl', 'x509', '-in', $file, '-noout',
                            '-fingerprint', '-sha256']);
    my ($hex) = $result->{out} =~ /=([0-9A-F:]+)/;

    return lc join '', split /:/, $hex // '';
}

sub standin { return $_[0]->root . '/run/acme-standin.pem' }

# What a host answers to a new connection once $good says that it is what we
# wait for. A child of before a graceful restart may take a few connections
# more; it must not take them for ever.
sub settled
{
    my ($httpd, $host, $good, @options) = @_;
    my $answer;

    eval {
        ACME::Rig::wait_for(10, 'the new children', sub {
            $answer = $httpd->get_tls($host, '/', @options);
            return $answer->{status} && $good->($answer);
        });
    };
    return $answer;
}

sub is_standin
{
    my ($httpd, $host, $what) = @_;
    my $answer = settled($httpd, $host, sub { $_[0]{status} == 503 });

    subtest $what => sub {
        is $answer->{status}, 503, 'status 503';
        like $answer->{cert}{subject}, $STANDIN, 'the stand-in';
        is $answer->{headers}{'retry-after'}, 60, 'Retry-After';
        like $answer->{body}, qr/certificate is still to come/, 'the reason';
        unlike $answer->{body}, qr/the page/, 'and no content';
    };
    return;
}

sub is_served
{
    my ($httpd, $host, $tls, $what) = @_;
    my $sha256 = sha256($tls->{cert});
    my $answer = settled($httpd, $host, sub {
        $_[0]{status} == 200 && $_[0]{cert}{sha256} eq $sha256 },
        ca => $tls->{ca});

    is_deeply [$answer->{status}, $answer->{body}, $answer->{cert}{sha256}],
        [200, "the page\n", $sha256], $what
        or diag $answer->{error} // '';
    return;
}

# How often a message stands in the part of the log since the last start.
sub said
{
    my ($httpd, $number) = @_;
    my $log = $httpd->error_log;

    if ($log =~ /resuming normal operations.*resuming normal/s) {
        $log =~ s/.*(?=SIGUSR1 received|Graceful restart req)//s;
    }
    my $count = () = $log =~ /$number:/g;
    return $count;
}

# -------------------------------------------------------------- first start

sub check_standin
{
    my ($httpd, $mpm) = @_;

    is_standin($httpd, $_, "$mpm: $_ without a certificate")
        for qw(a.test www.a.test b.test);
    is_served($httpd, 'own.test', $own, "$mpm: one with its own serves");
    is $httpd->get('a.test', '/')->{body}, "the page\n", "$mpm: http serves";
    is said($httpd, 'ACME0215'), 1, 'it is said once';
    is +(stat standin($httpd))[2] & 07777, 0600, 'its key is private';
    my $store = $httpd->store;
    ok !-e $store, 'reading made no store';
    return;
}

# The challenge of a first certificate is answered on https, too: a CA that
# is redirected there does not look at the certificate.
sub check_challenge
{
    my ($httpd) = @_;

    $rig->run([$live_put, $httpd->root . '/run/acme-live', 'put', $TOKEN,
               "$TOKEN.thumb", 600]);
    my $answer = $httpd->get_tls('a.test', $CHALLENGE);
    is_deeply [@$answer{qw(status body)}], [200, "$TOKEN.thumb"],
        'the challenge is answered through the stand-in';
    is $httpd->get_tls('a.test', "$CHALLENGE-")->{status}, 503,
        'another one is not';
    is $httpd->get_tls('a.test', '/', method => $_, body => 'x=y')->{status},
        503, "503 for $_" for qw(POST PUT NONSENSE);
    is $httpd->get_tls('a.test', '/%00%zz')->{status}, 503, 'and for junk';
    my $result = $rig->run(['curl', '-sk', '--http2', '--noproxy', '*',
        '--resolve', 'a.test:' . $httpd->https . ':127.0.0.1', '-o',
        '/dev/null', '-w', '%{http_code} %{http_version}',
        'https://a.test:' . $httpd->https . '/']);
    is $result->{out}, '503 2', 'h2: 503';
    return;
}

# The administrator's ErrorDocument 503 has the word.
sub check_error_document
{
    my ($httpd) = @_;

    $httpd->write_config(config($httpd, '',
        'a.test' => 'ErrorDocument 503 /sorry.html',
        'b.test' => 'ErrorDocument 503 "soon"'));
    $httpd->graceful;
    my $answer = $httpd->get_tls('a.test', '/');
    is_deeply [@$answer{qw(status body)}], [503, "sorry\n"], 'a page';
    is $answer->{headers}{'retry-after'}, 60, 'with Retry-After';
    $answer = $httpd->get_tls('b.test', '/');
    is_deeply [@$answer{qw(status body)}], [503, 'soon'], 'a text';
    $httpd->write_config(config($httpd));
    $httpd->graceful;
    return;
}

# The stand-in stays until it is no good, then it is made anew.
sub check_standin_file
{
    my ($httpd) = @_;
    my $file = standin($httpd);
    my $before = sha256($file);
    my $short = $rig->make_tls('short', names => ['x.test'], days => 1);
    my $text = join '', map { $rig->read_file($_) } @$short{qw(cert key)};

    $httpd->graceful;
    is sha256($file), $before, 'a good one stays';
    for (['gone', sub { unlink $file }],
         ['empty', sub { $rig->write_file($file, '') }],
         ['garbage', sub { $rig->write_file($file, "x\n" x 999) }],
         ['about to expire', sub { $rig->write_file($file, $text) }],
         ['readable by others', sub { chmod 0644, $file }],
         ["another user's", sub { chown 33, 33, $file }],
         ['a link', sub { rename $file, "$file.x"; symlink "$file.x", $file }]
    ) {
        my ($what, $do) = @$_;

        $do->();
        $httpd->graceful;
        is_standin($httpd, 'a.test', "$what: works");
        isnt sha256($file), $before, "$what: made anew";
        ok !-l $file, 'as a file';
        is +(stat $file)[2] & 07777, 0600, 'which is private';
        $before = sha256($file);
    }
    unlink "$file.x";
    is_deeply [glob "$file.*"], [], 'and nothing is left behind';
    return;
}

# ---------------------------------------------------------- the certificate

sub check_serving
{
    my ($httpd, $mpm) = @_;

    store($httpd, 'a.test', $pair{a});
    $httpd->graceful;
    is_served($httpd, 'a.test', $pair{a}, "$mpm: a.test has its own now");
    is_served($httpd, 'www.a.test', $pair{a}, "$mpm: so has its alias");
    is_standin($httpd, 'b.test', "$mpm: b.test has not");
    is said($httpd, 'ACME0215'), 1, 'which is said';

    store($httpd, 'b.test', $pair{b});
    store($httpd, 'c.test', $pair{c});
    $httpd->graceful;
    is_served($httpd, 'b.test', $pair{b}, "$mpm: b.test has its own");
    is said($httpd, 'ACME0215'), 0, 'all are there: nothing to say';
    return;
}

# A client without SNI gets the first host's, one with an address too.
sub check_names
{
    my ($httpd) = @_;
    my @of = map { sha256($pair{$_}{cert}) } qw(a b);
    my $none = $httpd->get_tls('127.0.0.1', '/', ssl => { SSL_hostname => '' });
    my $b = $httpd->get_tls('b.test', '/');

    is $none->{cert}{sha256}, $of[0], 'no SNI: the first host';
    is $none->{status}, 200, 'which answers';
    is $b->{cert}{sha256}, $of[1], 'SNI: the named host';
    is $httpd->get_tls('x.test', '/')->{cert}{sha256}, $of[0],
        'an unknown name: the first host';
    return;
}

# A renewal is a new generation.
sub check_renewal
{
    my ($httpd) = @_;
    my $new = $rig->make_tls('renewed', names => ['b.test']);

    store($httpd, 'b.test', $new);
    is_served($httpd, 'b.test', $pair{b}, 'the old one until the restart');
    $httpd->graceful;
    is_served($httpd, 'b.test', $new, 'then the new one');
    return;
}

# Each key type of ACMEPrivateKeys is offered; clients choose.
sub check_types
{
    my ($httpd) = @_;
    my $with = sub {
        return $httpd->get_tls('a.test', '/', ssl => {
            SSL_version => 'TLSv1_2',
            SSL_cipher_list => "ECDHE-$_[0]-AES128-GCM-SHA256" });
    };

    is $with->('RSA')->{status}, 0, 'no RSA certificate yet';
    store($httpd, 'a.test~rsa-2048', $pair{rsa});
    $httpd->graceful;
    is $with->('ECDSA')->{cert}{sha256}, sha256($pair{a}{cert}), 'ECDSA';
    is $with->('RSA')->{cert}{sha256}, sha256($pair{rsa}{cert}), 'RSA';

    rename $httpd->store . '/domains/a.test', $httpd->store . '/a.test';
    $httpd->graceful;
    is $with->('RSA')->{status}, 200, 'one type is enough to serve';
    is $with->('ECDSA')->{status}, 0, 'the other is gone';
    rename $httpd->store . '/a.test', $httpd->store . '/domains/a.test';
    return;
}

# ---------------------------------------------------------------- bad stores

# What can be wrong with the stored pair of b.test. $dir: its generation.
sub faults
{
    my $weak = $rig->path('weak.pem');
    my $locked = $rig->path('locked.pem');

    $rig->run(['openssl', 'req', '-x509', '-newkey', 'rsa:1024', '-nodes',
               '-keyout', $weak, '-out', "$weak.crt", '-subj', '/CN=b.test']);
    $rig->run(['openssl', 'pkey', '-in', $pair{b}{key}, '-aes256', '-passout',
               'pass:secret', '-out', $locked]);
    return (
        ['no certificate', sub { unlink "$_[0]/fullchain.pem" }],
        ['no key', sub { unlink "$_[0]/key.pem" }],
        ['an empty certificate', sub { put("$_[0]/fullchain.pem", '') }],
        ['an empty key', sub { put("$_[0]/key.pem", '') }],
        ['half a certificate', sub { half("$_[0]/fullchain.pem") }],
        ['half a key', sub { half("$_[0]/key.pem") }],
        ['a certificate with a line missing',
         sub { tear("$_[0]/fullchain.pem") }],
        ['a key of another certificate',
         sub { copy($pair{a}{key}, "$_[0]/key.pem") }],
        ['a key of another type',
         sub { copy($pair{rsa}{key}, "$_[0]/key.pem") }],
        ['a key with a pass phrase', sub { copy($locked, "$_[0]/key.pem") }],
        ['a key too weak for OpenSSL', sub {
            copy("$weak.crt", "$_[0]/fullchain.pem");
            copy($weak, "$_[0]/key.pem") }],
        ['a key in place of the certificate',
         sub { copy("$_[0]/key.pem", "$_[0]/fullchain.pem") }],
        ['a directory', sub {
            unlink "$_[0]/key.pem"; mkdir "$_[0]/key.pem" }],
        ['a FIFO', sub {
            unlink "$_[0]/key.pem"; POSIX::mkfifo("$_[0]/key.pem", 0600) }],
        ['a huge file', sub { truncate "$_[0]/fullchain.pem", 1 << 40 }],
        ['10 MB of certificates', sub {
            my $text = $rig->read_file("$_[0]/fullchain.pem");
            put("$_[0]/fullchain.pem",
                $text x (10_000_000 / length $text)) }],
    );
}

sub put { return $rig->write_file(@_) }

sub half
{
    my $text = $rig->read_file($_[0]);
    return put($_[0], substr $text, 0, length($text) / 2);
}

sub tear
{
    my @lines = split /^/, $rig->read_file($_[0]);

    splice @lines, 3, 1;
    return put($_[0], join '', @lines);
}

sub relink
{
    my ($dir, $target) = @_;

    unlink "$dir/../current";
    return symlink $target, "$dir/../current";
}

sub check_faults
{
    my ($httpd) = @_;
    my $domain = $httpd->store . '/domains/b.test';

    store($httpd, 'a.test', $pair{a});
    for (faults()) {
        my ($what, $do) = @$_;

        File::Path::remove_tree($domain);
        $do->(store($httpd, 'b.test', $pair{b}));
        $httpd->graceful;
        is_standin($httpd, 'b.test', "$what: the stand-in");
        is_served($httpd, 'a.test', $pair{a}, "$what: others are served");
        is said($httpd, 'ACME0212'), 1, 'one line of the log'
            or diag $httpd->error_log_tail;
        like $httpd->error_log_tail(100), qr/ACME0212: [^\n]* b\.test /,
            'names the domain';
    }
    # The same when httpd starts, with its two passes over all files.
    $httpd->stop;
    unlink $httpd->root . '/logs/error_log';
    $httpd->start;
    is_standin($httpd, 'b.test', 'a start with a broken store');
    is said($httpd, 'ACME0212'), 1, 'says it once';
    File::Path::remove_tree($domain);
    return;
}

# Where the present pair of a certificate is damaged, the last one that is
# sound is served, whatever is damaged.
sub check_rescue
{
    my ($httpd) = @_;
    my $domain = $httpd->store . '/domains/b.test';
    my @links = (
        ['a link to what is not there', sub { relink($_[0], '00000099') }],
        ['a link out of the store', sub { relink($_[0], '../../../../etc') }],
        ['a folder in place of the link', sub {
            my $current = "$_[0]/../current";
            unlink $current; mkdir $current }],
    );
    my $again = sub { File::Path::remove_tree($domain);
                      return store($httpd, 'b.test', $pair{b}) };

    for (@links) {
        my ($what, $do) = @$_;

        $do->($again->());
        $httpd->graceful;
        is_served($httpd, 'b.test', $pair{b}, "$what: the generation that is");
        is said($httpd, 'ACME0212'), 1, 'one line of the log';
    }
    # A damaged generation, and two of them.
    $again->();
    half(store($httpd, 'b.test', $pair{b2}) . '/fullchain.pem');
    $httpd->graceful;
    is_served($httpd, 'b.test', $pair{b}, 'half a certificate: the last one');
    like $httpd->error_log_tail(100),
        qr/ACME0212: [^\n]* b\.test [^\n]*generation 1 is served instead/,
        'which the log says';
    put(store($httpd, 'b.test', $pair{b2}) . '/key.pem', '');
    $httpd->graceful;
    is_served($httpd, 'b.test', $pair{b}, 'two in a row: the one before');
    # One that "current" never reached is none.
    relink("$domain/00000001", '00000001');
    put("$domain/00000001/key.pem", '');
    copy($pair{b2}{key}, "$domain/00000003/key.pem");
    $httpd->graceful;
    is_standin($httpd, 'b.test', 'a newer one is not tried');
    store($httpd, 'b.test', $pair{b2});
    $httpd->graceful;
    is_served($httpd, 'b.test', $pair{b2}, 'and a new one is served');
    is said($httpd, 'ACME0212'), 0, 'without a word';
    return;
}

# An expired certificate is still the site's own.
sub check_expired
{
    my ($httpd) = @_;
    my %old = (cert => $rig->path('old.crt'), key => $rig->path('old.key'));

    $rig->openssl('req', '-new', '-newkey', 'ec', '-pkeyopt',
        'ec_paramgen_curve:P-256', '-nodes', '-keyout', $old{key}, '-out',
        "$old{cert}.csr", '-subj', '/CN=b.test');
    $rig->openssl('x509', '-req', '-in', "$old{cert}.csr", '-signkey',
        $old{key}, '-days', '-1', '-out', $old{cert});
    store($httpd, 'b.test', \%old);
    $httpd->graceful;
    my $answer = $httpd->get_tls('b.test', '/');
    is_deeply [$answer->{status}, $answer->{cert}{sha256}],
        [200, sha256($old{cert})], 'an expired certificate is served';
    return;
}

# A pair that was sound at the last restart and is not at this one.
sub check_change
{
    my ($httpd) = @_;

    File::Path::remove_tree($httpd->store . '/domains/b.test');
    my $dir = store($httpd, 'b.test', $pair{b});
    $httpd->graceful;
    is_served($httpd, 'b.test', $pair{b}, 'sound');
    copy($pair{a}{key}, "$dir/key.pem");
    $httpd->graceful;
    is_standin($httpd, 'b.test', 'changed under the same name');
    copy($pair{b}{key}, "$dir/key.pem");
    $httpd->graceful;
    is_served($httpd, 'b.test', $pair{b}, 'and back');
    return;
}

# A store that others can enter is served, with a warning; one that
# cannot be reached serves nothing.
sub check_store
{
    my ($httpd) = @_;
    my $store = $httpd->store;

    chmod 0755, $store;
    $httpd->graceful;
    is_served($httpd, 'a.test', $pair{a}, 'a store open to others serves');
    is said($httpd, 'ACME0211'), 1, 'and is said to be so';
    rename $store, "$store.away";
    symlink $store, $store;
    $httpd->graceful;
    is_standin($httpd, 'a.test', 'a link to itself in place of the store');
    is said($httpd, 'ACME0210'), 1, 'is one line of the log';
    unlink $store;
    $httpd->graceful;
    is_standin($httpd, 'a.test', 'no store');
    is said($httpd, 'ACME0210'), 0, 'is no fault';
    rename "$store.away", $store;
    chmod 0700, $store;
    $httpd->graceful;
    is_served($httpd, 'a.test', $pair{a}, 'back again');
    return;
}

# A key file without its certificate, stapling switched on, a key of an
# administrator's for the whole server: httpd starts.
sub check_config
{
    my ($httpd) = @_;

    $httpd->write_config(config($httpd,
        "SSLUseStapling on\nSSLStaplingCache shmcb:run/ocsp(32768)\n",
        'b.test' => "SSLCertificateKeyFile $own->{key}"));
    unlink $httpd->store . '/domains/c.test/current';
    $httpd->graceful;
    is_served($httpd, 'a.test', $pair{a}, 'with stapling');
    is_served($httpd, 'b.test', $pair{b}, 'with a stray key file');
    is said($httpd, 'ACME0214'), 1, 'which is said';
    is_standin($httpd, 'c.test', 'the stand-in with stapling');
    return;
}

{
    my $httpd = make_httpd('event');

    $httpd->start;
    check_standin($httpd, 'event');
    check_challenge($httpd);
    check_error_document($httpd);
    check_standin_file($httpd);
    check_serving($httpd, 'event');
    check_names($httpd);
    check_renewal($httpd);
    check_types($httpd);
    check_faults($httpd);
    check_rescue($httpd);
    check_expired($httpd);
    check_change($httpd);
    check_store($httpd);
    check_config($httpd);
    is $httpd->faults, '', 'no child crashed';
    $httpd->stop;
}
for my $mpm (qw(worker prefork)) {
    my $httpd = make_httpd($mpm, mpm => $mpm);

    $httpd->start;
    check_standin($httpd, $mpm);
    check_serving($httpd, $mpm);
    is $httpd->faults, '', "$mpm: no child crashed";
    $httpd->stop;
}
done_testing;
