#!/usr/bin/perl

# What an administrator can get wrong, or the world around: each ends in one
# clear sentence and its exit status, loses nothing, and httpd keeps serving
# what it served.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use File::Path qw(make_path remove_tree);
use POSIX ();

use ACME::Scene;
use ACME::Rig::Mounted;

my $scene = ACME::Scene->new;
my ($rig, $httpd, $ca) = ($scene->rig, $scene->httpd, $scene->ca);
my $store = $scene->store;
my @good = (['a.test', 'www.a.test'], ['b.test']);

# Write httpd.conf without telling the running httpd: acmectl reads it.
sub given
{
    $scene->config(domains => \@good, text => "ACMEChallenges http-01\n",
                   ca_file => $rig->path('roots.pem'), @_);
    return;
}

# The certificate that must survive everything below.
my $roots = $rig->write_file('roots.pem', $rig->read_file($ca->ca_file),
                             0644);
given();
$scene->start;
$scene->ends(['issue', 'a.test'], 0, 'a certificate to lose');
my $serial = $scene->serves_ok('a.test')->{serial};

# --------------------------------------------------------- the command line

# What acmectl does not know is a usage error that leads to --help.
{
    my @cases = (
        [[], qr/needs a verb; see acmectl --help/],
        [['isue', 'a.test'], qr/the verb "isue" is not known; acmectl --help/],
        [['issue', '--frce', 'a.test'], qr/frce.*; see acmectl --help/],
        [['--jsn', 'renew'], qr/jsn.*; see acmectl --help/],
        [['issue'], qr/issue needs a name/],
        [['issue', '--csr'], qr/csr.*; see acmectl --help/],
        [['--color', 'blue', 'renew'], qr/"blue" is not known; use auto/],
        [['--display', 'cube', 'renew'], qr/"cube" is not known/],
        [['--log', 'printer', 'renew'], qr/"printer": use stderr, syslog/],
        [['--log-level', 'loud', 'renew'], qr/"loud" is not known/],
        [['--wait', '-1', 'renew'], qr/"-1" is not known; give seconds/],
        [['account'], qr/needs one of: show, register/],
        [['account', 'sell'], qr/needs one of: show, register/],
        [['certificates', 'a.test'], qr/takes no/],
    );
    for my $case (@cases) {
        my ($args, $pattern) = @$case;
        my $r = $scene->refuses($args, 2, $pattern,
                                "usage: acmectl @$args");
        $r = $scene->ctl(@$args);
        like $r->{err}, qr/\Aacmectl: [^\n]+\n\z/, 'as text: one line';
        is $r->{out}, '', 'and nothing on stdout';
    }
    my $help = $rig->acmectl(['--help']);
    is $help->{status}, 0, '--help';
    like $help->{out}, qr/^  $_ /m, "... tells of $_"
        for qw(issue renew revoke certificates status account config);
    like $rig->acmectl(['issue', '--help'])->{out}, qr/--csr/,
        "a verb's own help";
    like $rig->acmectl(['--version'])->{out}, qr/\Aacmectl \d+\.\d+/,
        '--version';
}

# Names that are none, and names that nobody manages.
{
    for my $name ('a b.test', '../etc', 'a-.test', 'a..test', 'a_b.test',
                  'a', '192.0.2.1', 'a.test/x', '', 'a' x 64 . '.test',
                  join('.', ('a' x 60) x 5), "a\e[31m.test", 'a.*.test') {
        (my $shown = $name) =~ s/[^ -~]/?/g;
        $scene->refuses(['issue', $name], 2, qr/is not a domain name: /,
            'not a name: ' . substr $shown, 0, 30);
    }
    $scene->refuses(['issue', $_], 2,
        qr/\Q$_\E is not a managed domain: add "ACMEDomain \Q$_\E"/,
        "nobody manages $_") for 'c.test', '*.a.test';
    # One bad name and nothing is ordered for the good one.
    is $scene->requests_of(sub {
        $scene->refuses(['issue', 'b.test', 'c.test'], 2, qr/c\.test/,
                        'a good name and a stranger');
    }), 0, 'the CA was not asked';
}

# ------------------------------------------------------- the configuration

# A configuration that httpd refuses: exit status 4, httpd's own words with
# file and line.
{
    my $config = $httpd->config;
    my %bad = (
        'NoSuchDirective on' => qr/Invalid command 'NoSuchDirective'/,
        '<VirtualHost *:80>' => qr/<VirtualHost> was not closed/,
        'ACMECertificateAuthority letsencript' =>
            qr/"letsencript" is not allowed: write letsencrypt,/,
        'ACMECertificateAuthority http://ca.test/dir' => qr/https/,
        'ACMEDomain *.a.test' => qr/\*\.a\.test/,
        'ACMEDomain a..test' => qr/a\.\.test/,
        'ACMEDomain b.test x.test' => qr/b\.test/,
    );
    for my $line (sort keys %bad) {
        given(text => "$line\n");
        my $r = $scene->refuses(['issue', 'b.test'], 4,
            qr/httpd refuses its configuration: .*$bad{$line}/,
            "httpd refuses: $line");
        like((ACME::Scene::sentences($r))[0],
            qr/line \d+ of \Q$config\E|\Q$config\E:\d+/,
            '... with file and line');
        is $httpd->configtest->{status}, 1, '... and httpd -t says it too';
    }
    given();
    $rig->write_file($config, ACME::Rig->read_file($config)
        =~ s/^LoadModule acme_module.*\n//mr =~ s/^<?\/?ACME.*\n//mgr
        =~ s/ acme:debug//r);
    $scene->refuses(['issue', 'b.test'], 4, qr/does not load mod_acme; add/,
                    'httpd without mod_acme');
    given();
    my $missing = $rig->path('no-httpd');
    my $r = $rig->acmectl(['--json', '--httpd', $missing, '-d', $httpd->root,
                           'renew']);
    is $r->{status}, 1, 'an httpd that is not there';
    like $r->{json}{error}{detail}, qr/cannot run \Q$missing\E: No such file/,
        'is said';
    $scene->refuses(['-f', $rig->path('no.conf'), 'renew'], 4,
        qr/httpd refuses its configuration: .*no\.conf/,
        'a configuration that is not there');
}

# Without ACMEAgreement no account is made; who has one is not affected.
{
    my $fresh = $rig->path('fresh');
    given(agreement => 0);
    $scene->refuses(['--store', $fresh, 'issue', 'b.test'], 1,
        qr/terms of service .* must be agreed to; .*"ACMEAgreement accepted"/,
        'no agreement');
    ok !-e "$fresh/domains", 'nothing was made';
    $scene->ends(['issue', 'b.test'], 0,
                 'an account that exists has agreed already');
}

# A contact that the CA refuses: its own words, and no account.
{
    my $fresh = $rig->path('contact');
    given(contact => 'a@example.org b@example.org c@example.org');
    my $r = $scene->refuses(['--store', $fresh, 'issue', 'b.test'], 7,
        qr/making the account: .*too many contacts/, 'contacts refused');
    like ACME::Scene::result_of($r, 'b.test')->{error}{type},
        qr/^urn:ietf:params:acme:error:malformed$/, "the CA's type";
    ok !-e "$_/account.json", 'no account is kept'
        for glob "$fresh/accounts/*";
    given();
    $scene->ends(['--store', $fresh, 'issue', 'b.test'], 0,
                 'with good contacts it goes on');
}

# ------------------------------------------------------------------ the CA

# A CA that is down: try later.
{
    $ca->halt;
    $scene->refuses(['issue', '--force', 'a.test'], 75,
        qr/cannot reach the CA at \S+: Connection refused/, 'the CA is down');
    $scene->refuses(['revoke', 'a.test'], 75, qr/cannot reach the CA/,
                    '... for a revocation');
    $ca->start;
    $scene->ends(['issue', '--force', 'a.test'], 0, 'and when it is back');
    isnt $scene->serves_ok('a.test')->{serial}, $serial, 'a new certificate';
    given(ca => ['https://no-such-ca.invalid/dir']);
    $scene->refuses(['issue', '--force', 'a.test'], 75,
        qr/no-such-ca\.invalid/, 'a CA that is nowhere');
}

# A CA whose certificate nobody trusts, or that has the wrong name, or no
# ACME server at all.
{
    my $other = $rig->make_tls('other');
    given(ca_file => $other->{ca});
    $scene->refuses(['issue', '--force', 'a.test'], 1,
        qr/ACMECACertificateFile/, "the CA's certificate is not trusted");
    given(ca => ['https://localhost:' . $httpd->http . '/dir']);
    $scene->refuses(['issue', '--force', 'a.test'], 1,
        qr/localhost:@{[$httpd->http]}/, 'the port of an http server');
    given(ca => [$ca->directory . 'ectory']);
    $scene->refuses(['issue', '--force', 'a.test'], 7,
        qr/directory.*404/, 'the wrong path');
}

# --------------------------------------------------------- the challenge

# Nobody would answer the CA: said before it is asked.
{
    my ($http, $https) = ($httpd->http, $httpd->https);
    my $free = $rig->port;
    my $refused = sub {
        my ($pattern, $what) = @_;
        is $scene->requests_of(sub {
            $scene->refuses(['issue', '--force', 'a.test'], 1, $pattern,
                            $what);
        }), 0, 'the CA was not asked';
    };

    given(port_map => "http:- https:$https");
    $refused->(qr/public port 80, and ACMEPortMap says/, 'http:-');
    given(port_map => "http:$free https:$https");
    $refused->(qr/httpd does not listen on it; add "Listen $free"/,
               'Listen is missing');
    given();
    $httpd->stop;
    $refused->(qr/httpd is not running/, 'httpd does not run');
    $scene->start;
    $scene->ends(['issue', '--force', 'a.test'], 0, 'and when it runs');
}

# The CA looks at another port than httpd's, or another machine: the
# sentence names the identifier and what the CA saw.
{
    $ca->restart(http => $rig->port);
    my $r = $scene->refuses(['issue', '--force', 'a.test'], 1,
        qr/(?:www\.)?a\.test.*[Cc]onnection refused/,
        'the CA does not reach httpd');
    like ACME::Scene::result_of($r, 'a.test')->{error}{identifier},
        qr/^(?:www\.)?a\.test$/, 'the identifier';
    $ca->restart(http => $httpd->http);

    # Somebody else answers there.
    $rig->write_file($httpd->htdocs('404.html'), "nothing here\n", 0644);
    my $stranger = ACME::Rig::Httpd->new($rig, name => 'stranger',
                                         without_acme => 1);
    $stranger->write_config("<Directory \"/\">\nRequire all granted\n"
        . "</Directory>\n");
    $stranger->start;
    $ca->restart(http => $stranger->http);
    $scene->refuses(['issue', '--force', 'a.test'], 1,
        qr/(?:www\.)?a\.test.*404/, 'another server answers');
    $stranger->stop;
    $ca->restart(http => $httpd->http);
    $scene->ends(['issue', '--force', 'a.test'], 0, 'and when it is right');
}

# A domain that no virtual host serves is issued when it is named, with a
# note that nobody renews it.
{
    given(text => "ACMEDomain idle.test\n");
    my $r = $scene->ends(['issue', 'idle.test'], 0, 'no host serves it');
    like $r->{json}{notes}[0] // '',
        qr/no virtual host serves idle\.test, .*ACMERenewMode always/,
        'a note';
    is ACME::Scene::result_of($r, 'idle.test')->{result}, 'issued', 'issued';
}

# 200 names in one certificate, more than most CAs take, and httpd has not
# heard of them yet: who takes them gets them.
{
    my @names = map { "n$_.many.test" } 1 .. 200;
    given(text => "ACMEChallenges http-01\nACMEDomain @names\n");
    my $r = $scene->ends(['issue', 'n7.many.test'], 0, '200 names',
                         timeout => 120);
    my $cert = $rig->openssl('x509', '-in',
        $scene->file('n1.many.test', 'cert.pem'), '-noout', '-text');
    my $count = () = $cert =~ /DNS:n\d+\.many\.test/g;
    is $count, 200, 'are in it';
    # One of them fails: the sentence is for it, the certificate for none.
    # Nothing listens at its address.
    $ca->resolver('add-a', { host => 'n77.many.test',
                             addresses => ['127.0.0.9'] });
    $r = $scene->refuses(['issue', '--force', 'n1.many.test'], 1,
        qr/n77\.many\.test/, 'one of 200 fails');
    is ACME::Scene::result_of($r, 'n1.many.test')->{error}{identifier},
        'n77.many.test', 'and is named';
    $ca->resolver('clear-a', { host => 'n77.many.test' });
    given();
}

# ------------------------------------------------------------------ rights

# httpd -t tells an ordinary user of the syntax, not of the store.
{
    $_ = $rig->run($httpd->command('-t'), user => 'nobody',
                    env => $httpd->env);
    is $_->{status}, 0, 'httpd -t as nobody' or diag $_->{err};
    like $_->{err}, qr/Syntax OK/, 'Syntax OK';
    unlike "$_->{out}$_->{err}", qr/PRIVATE KEY/, 'and no secret';
}

# acmectl needs root for whatever touches the store.
{
    for my $args (['issue', 'a.test'], ['renew'], ['certificates'],
                  ['status'], ['account', 'show'], ['revoke', 'a.test']) {
        $scene->refuses($args, 1, qr/\Q$store\E.*root/,
                        "acmectl @$args as nobody", user => 'nobody');
    }
    is $scene->ctl('--json', 'config', { user => 'nobody' })->{status}, 0,
        'acmectl config as nobody';
}

# ------------------------------------------------------------------- store

# A store that others could read or that belongs to somebody else is not
# used, before the CA is asked, and the sentence says what to type.
{
    my $uid = getpwnam 'nobody';
    my $wrong = sub {
        my ($pattern, $what, $spoil, $mend) = @_;
        $spoil->();
        is $scene->requests_of(sub {
            $scene->refuses(['issue', '--force', 'a.test'], 1, $pattern,
                            $what);
        }), 0, 'the CA was not asked';
        $mend->();
    };

    $wrong->(qr/its mode is 0755: chmod 0700 \Q$store\E/, 'readable by all',
             sub { chmod 0755, $store }, sub { chmod 0700, $store });
    $wrong->(qr/belongs to user $uid: .*chown 0 \Q$store\E/,
             "somebody else's", sub { chown $uid, -1, $store },
             sub { chown 0, -1, $store });
    $wrong->(qr/"acme-store 1": the store is another version's/,
             'another format',
             sub { $rig->write_file("$store/format", "acme-store 2\n") },
             sub { $rig->write_file("$store/format", "acme-store 1\n",
                                    0600) });
    $wrong->(qr{ledger\.json is damaged; move it away}, 'a damaged ledger',
             sub { rename "$store/ledger.json", "$store/saved";
                   $rig->write_file("$store/ledger.json", '{"schema": 7}') },
             sub { rename "$store/saved", "$store/ledger.json" });
    $wrong->(qr{ledger\.json}, 'a ledger that is no JSON',
             sub { rename "$store/ledger.json", "$store/saved";
                   $rig->write_file("$store/ledger.json", "oh\0no") },
             sub { rename "$store/saved", "$store/ledger.json" });
    $wrong->(qr{lock.*Is a directory}, 'a directory instead of the lock',
             sub { rename "$store/lock", "$store/saved";
                   mkdir "$store/lock" },
             sub { rmdir "$store/lock";
                   rename "$store/saved", "$store/lock" });

    my $file = $rig->write_file('in-the-way', "a file\n");
    $scene->refuses(['--store', $file, 'issue', 'a.test'], 1,
        qr/\Q$file\E: it is a file/, 'a file in the way');
    $scene->refuses(['--store', "$file/store", 'issue', 'a.test'], 1,
        qr/\Q$file\E/, 'a file above it');
    my $full = $rig->make_dir('full', 0700);
    $rig->write_file("$full/holiday.jpg", 'x');
    $scene->refuses(['--store', $full, 'issue', 'a.test'], 1,
        qr/holds files but no store/, "somebody's pictures");
    is_deeply [map { m{([^/]+)$} } glob "$full/*"], ['holiday.jpg'],
        'are left alone';
    symlink $store, $rig->path('link');
    $scene->refuses(['--store', $rig->path('link'), 'issue', 'a.test'], 1,
        qr/symbolic link/, 'a symbolic link');
    $scene->store_ok('after all this');
}

# A damaged certificate is told and replaced; a damaged account key is never
# overwritten.
{
    my $meta = $scene->file('b.test', 'meta.json');
    my $text = $rig->read_file($meta);
    $rig->write_file($meta, '{"schema": "acme-certificate/1"}', 0600);
    my $r = $scene->ends(['certificates'], 0, 'damaged meta.json');
    my ($b) = grep { $_->{name} eq 'b.test' } @{$r->{json}{certificates}};
    is $b->{state}, 'error', 'is an error';
    like $b->{why}, qr/meta\.json/, 'that names the file';
    $scene->ends(['renew'], 0, 'renew');
    $scene->serves_ok('b.test', 'and replaced');

    my ($key) = glob "$store/accounts/*/key.pem";
    my $saved = $rig->read_file($key);
    $rig->write_file($key, "not a key\n", 0600);
    $scene->refuses(['issue', '--force', 'a.test'], 1,
        qr/the account's key for \Q@{[$ca->directory]}\E/,
        "a damaged account's key");
    is $rig->read_file($key), "not a key\n", 'is not overwritten';
    $rig->write_file($key, $saved, 0600);
}

# An unfinished order that is damaged, or of another CA, does not hold up
# the next.
{
    for my $text ("{\n", '{"schema":"acme-order/1"}', '[]', "\0" x 100,
                  '{"schema":"acme-order/1","ca":"https://other.test/dir",'
                  . '"account":"https://other.test/a","url":'
                  . '"https://other.test/o","step":"ordered",'
                  . '"names":["a.test"]}') {
        $rig->make_dir("$store/orders/a.test", 0700);
        $rig->write_file("$store/orders/a.test/order.json", $text, 0600);
        $rig->write_file("$store/orders/a.test/key.pem", 'no key', 0600);
        $scene->ends(['issue', '--force', 'a.test'], 0,
            'a damaged order: ' . substr $text =~ tr/\n\0/  /r, 0, 40);
    }
    $scene->serves_ok('a.test');
    $scene->store_ok('after damaged orders');
}

# --------------------------------------------------------------- two at once

# Whoever writes holds the lock: the second says who, or waits.
{
    my $slow = ACME::Scene->new(rig => $rig, name => '-slow',
                                pebble => { sleep => 4 });
    $slow->config(domains => [['s.test'], ['t.test']])->start;
    my $start = sub {
        my $pid = $rig->spawn([ACME::Rig::acmectl_path(), '--httpd',
            $slow->httpd->binary, '-d', $slow->httpd->root, '-f',
            $slow->httpd->config, 'renew', '--force'],
            log => $rig->path('first.log'), env => $slow->httpd->env);
        ACME::Rig::wait_for(10, 'the first one', sub {
            ($rig->read_file($slow->store . '/lock') // '') =~ /pid $pid/;
        });
        return $pid;
    };

    my $pid = $start->();
    $slow->refuses(['issue', 's.test'], 75,
        qr/held by acmectl renew, pid $pid: try again/,
        'a second acmectl', changes => 1);
    is $slow->ctl('--json', 'certificates')->{status}, 0,
        'who only reads is not held up';
    my $r = $slow->ends(['--wait', '60', 'renew'], 0, '--wait waits');
    is_deeply [map { $_->{result} } @{$r->{json}{results}}],
        ['skipped', 'skipped'], 'until the first has done it all';
    ok !$rig->alive($pid), 'which has ended';
    $slow->serves_ok('s.test');

    # Many at the same moment: one works, nobody fails in any other way.
    my @pids = map { my $n = $_; $rig->spawn_sub(sub {
        my $r = $slow->httpd->acmectl(['--json', '--wait', '60', 'renew']);
        $rig->write_file("many-$n", "$r->{status}\n$r->{out}$r->{err}");
    }) } 1 .. 8;
    waitpid $_, 0 for @pids;
    is_deeply [map { $rig->read_file("many-$_") =~ /^0\n\{.*\}\n\z/ ? 0
                     : $rig->read_file("many-$_") } 1 .. 8], [(0) x 8],
        'eight at once';
    $slow->store_ok('after eight at once');
    $slow->httpd->stop;
    $slow->ca->stop;
}

# ----------------------------------------------------------------- the disk

SKIP: {
    my $dir = $rig->path('disk');
    my $disk = ACME::Rig::Mounted->new($dir, 'size=512k,mode=0700')
        or skip 'cannot mount a tmpfs here', 1;
    $scene->{store} = "$dir/store";
    given(text => '', domains => [['d.test']]);
    my @store = ('--store', "$dir/store");
    $scene->ends([@store, 'issue', 'd.test'], 0, 'a store on a small disk');

    # Full before the run: the CA is not asked.
    $disk->fill;
    is $scene->requests_of(sub {
        $scene->refuses([@store, 'issue', '--force', 'd.test'], 1,
            qr/cannot be written, so no CA was asked: .*No space left .*make room/,
            'a full disk');
    }), 0, 'the CA was not asked';
    is $scene->ctl('--json', @store, 'certificates')->{status}, 0,
        'reading goes on';
    $disk->free;
    $scene->store_ok('after a full disk');

    # Full in the middle of the order.
    $ca->restart(sleep => 2);
    my $filler = $rig->spawn_sub(sub {
        ACME::Rig::wait_for(30, 'the order', sub {
            -e "$dir/store/orders/d.test/order.json" });
        $disk->fill;
    });
    $scene->refuses([@store, 'issue', '--force', 'd.test'], 1,
                    qr/No space left .*make room/, 'full in the middle');
    waitpid $filler, 0;
    $disk->free;
    $ca->restart(sleep => 0);
    $scene->ends([@store, 'issue', '--force', 'd.test'], 0,
                 'and when there is room');
    $scene->store_ok('after that');

    # Read-only.
    system('mount', '-o', 'remount,ro', $dir) == 0 or die "remount\n";
    is $scene->requests_of(sub {
        $scene->refuses([@store, 'issue', '--force', 'd.test'], 1,
            qr/\Q$dir\E.*Read-only file system.*writing/, 'read-only');
    }), 0, 'the CA was not asked';
    $scene->ends([@store, 'certificates'], 0, 'reading goes on');
    delete $scene->{store};
}

# ------------------------------------------------------------- and after all

given();
$scene->ends(['issue', '--force', 'a.test'], 0, 'after all this');
$scene->serves_ok('a.test');
is $httpd->faults, '', 'no child of httpd crashed';
done_testing;
