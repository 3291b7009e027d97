#!/usr/bin/perl

# Certificates swapped while httpd runs: what acmectl puts into the live
# segment is served from the next handshake on, by the same processes, and
# every connection that was there stays.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use File::Copy qw(copy);
use IO::Socket::SSL;
use Time::HiRes qw(time);

use ACME::Rig;
use ACME::Rig::Httpd;

ACME::Rig::skip_unless_able(qw(openssl curl));

my $rig = ACME::Rig->new;
my $live_put = ACME::Rig::builddir() . '/t/lib/live_put';
my $live_attack = ACME::Rig::builddir() . '/t/lib/live_attack';
plan skip_all => "$live_put is not built" if !-x $live_put;

# Each has its own CA, so that a client that trusts one knows which it got.
my %tls = map { $_ => $rig->make_tls($_, names => ['a.test', 'b.test',
                                                   'c.test'],
                                     key => /^rsa/ ? 'rsa' : 'ec') }
    qw(one two three four rsa1 rsa2);
my $client = $rig->make_tls('client', names => ['client']);
my %sha = map { $_ => sha256($tls{$_}{cert}) } keys %tls;

sub sha256
{
    my ($file) = @_;
    my ($hex) = $rig->openssl('x509', '-in', $file, '-noout', '-fingerprint',
                              '-sha256') =~ /=([0-9A-F:]+)/;

    return lc join '', split /:/, $hex // '';
}

sub serial
{
    my ($name) = @_;

    return $rig->openssl('x509', '-in', $tls{$name}{cert}, '-noout',
                         '-serial') =~ /=(\w+)/ ? $1 : '';
}

# ------------------------------------------------------------------- httpd

sub config
{
    my ($httpd, %opt) = @_;
    my ($http, $https, $root) = ($httpd->http, $httpd->https, $httpd->root);
    my @names = @{$opt{names} // [qw(a.test b.test c.test)]};
    my $hosts = join '', map { <<"END" } @names;
<VirtualHost *:$https>
    ServerName $_
    SSLEngine on
    SSLCACertificateFile "$client->{ca}"
    <Location /private>
        SSLVerifyClient require
    </Location>
</VirtualHost>
END

    return <<"END";
Protocols h2 http/1.1
StartServers 3
KeepAliveTimeout 60
<IfModule !mpm_prefork_module>
    ThreadsPerChild 8
    MaxRequestWorkers 24
    MinSpareThreads 24
    MaxSpareThreads 75
</IfModule>
<IfModule mpm_prefork_module>
    MaxSpareServers 50
</IfModule>
SSLSessionCache shmcb:$root/run/sessions(65536)
Header always set X-Serial "%{SSL_SERVER_M_SERIAL}s"
Header always set X-Client "%{SSL_CLIENT_S_DN}s"
LogFormat "%P %{SSL_SERVER_M_SERIAL}x %>s"
CustomLog "$root/logs/access_log" "%P %{SSL_SERVER_M_SERIAL}x %>s"
<Directory />
    Require all granted
</Directory>
ACMEPrivateKeys P-256
@{[$opt{text} // '']}
<ACMEDomain a.test>
    ACMEPrivateKeys P-256 RSA-2048
</ACMEDomain>
@{[map { "ACMEDomain $_\n" } grep { $_ ne 'a.test' } @names]}
$hosts
END
}

sub make_httpd
{
    my ($name, %opt) = @_;
    my $httpd = ACME::Rig::Httpd->new($rig, name => $name, %opt,
                                      more => ['http2']);

    $httpd->write_page('index.html', "the page\n");
    $httpd->write_page('private/index.html', "private\n");
    $httpd->write_config(config($httpd));
    return $httpd;
}

# Keep a pair as acmectl does: a new generation, then the link.
sub store
{
    my ($httpd, $id, $name) = @_;
    my $dir = $httpd->store . "/domains/$id";
    my $generation = sprintf '%08d', 1 + grep { -d } glob "$dir/0*";

    $rig->make_dir($_, 0700) for $httpd->store, $httpd->store . '/domains',
        $dir, "$dir/$generation";
    copy($tls{$name}{cert}, "$dir/$generation/fullchain.pem") or die $!;
    copy($tls{$name}{key}, "$dir/$generation/key.pem") or die $!;
    chmod 0600, "$dir/$generation/key.pem";
    unlink "$dir/current";
    symlink $generation, "$dir/current" or die $!;
    return $generation + 0;
}

sub segment { return $_[0]->root . '/run/acme-live' }

# Put files into a slot. Returns live_put's result.
sub put_files
{
    my ($httpd, $id, $generation, $cert, $key) = @_;

    return $rig->run([$live_put, segment($httpd), 'cert', $id, $generation,
                      $cert, $key]);
}

# Renew: store, then segment.
sub swap
{
    my ($httpd, $id, $name) = @_;
    my $r = put_files($httpd, $id, store($httpd, $id, $name),
                      @{$tls{$name}}{qw(cert key)});

    is $r->{status}, 0, "swapped $id" or diag $r->{err};
    return;
}

# ----------------------------------------------------------------- clients

# What a client gets: the certificate's name in %tls, or the error. Options:
# tls (TLSv12, TLSv13), key (ec, rsa: what the client takes), sni ('').
my %name_of = map { $sha{$_} => $_ } keys %sha;

sub served
{
    my ($httpd, $host, %opt) = @_;
    my %ssl;

    $ssl{SSL_version} = $opt{tls} if $opt{tls};
    $ssl{SSL_hostname} = $opt{sni} if defined $opt{sni};
    if ($opt{key}) {
        $ssl{SSL_version} = 'TLSv12';
        $ssl{SSL_cipher_list} = $opt{key} eq 'rsa'
            ? 'ECDHE-RSA-AES128-GCM-SHA256' : 'ECDHE-ECDSA-AES128-GCM-SHA256';
    }
    my $answer = $httpd->get_tls($host, '/', ssl => \%ssl);
    return 'no answer' if !$answer->{cert};
    my $name = $name_of{$answer->{cert}{sha256}} // 'stranger';
    return $answer->{status} == 200 ? $name : "$name $answer->{status}";
}

sub serves
{
    my ($httpd, $host, $name, $what, %opt) = @_;

    is served($httpd, $host, %opt), $name, $what;
    return;
}

# A request by s_client, which can keep a session and take it up again.
sub s_client
{
    my ($httpd, $host, @args) = @_;
    my $result = $rig->run([ACME::Rig::program('openssl'), 's_client',
        '-connect', '127.0.0.1:' . $httpd->https, '-servername', $host,
        '-ign_eof', @args], timeout => 20, input =>
        "GET / HTTP/1.1\r\nHost: $host\r\nConnection: close\r\n\r\n");
    my ($status) = $result->{out} =~ m{^HTTP/1\.1 (\d+)}m;
    my ($serial) = $result->{out} =~ /^X-Serial: (\w+)/m;
    my ($kind) = $result->{out} =~ /^(New|Reused), /m;

    return { status => $status // 0, serial => $serial // '',
             kind => $kind // '', out => $result->{out} };
}

# A connection that stays open. Returns a closure that sends one request.
sub keep_alive
{
    my ($httpd, $host, %ssl) = @_;
    my $sock = IO::Socket::SSL->new(PeerAddr => '127.0.0.1',
        PeerPort => $httpd->https, SSL_hostname => $host,
        SSL_verify_mode => SSL_VERIFY_NONE, %ssl)
        or die "cannot connect: $SSL_ERROR\n";

    return sub {
        my ($path) = @_;
        my $data = '';

        return $sock if !defined $path;
        print {$sock} "GET $path HTTP/1.1\r\nHost: $host\r\n\r\n";
        while ($data !~ /\r\n\r\n/ || length($') < length_of($data)) {
            my $n = sysread $sock, $data, 65_536, length $data;
            last if !$n;
        }
        return ACME::Rig::parse_answer($data, 'GET');
    };
}

sub length_of
{
    return $_[0] =~ /^Content-Length: (\d+)/mi ? $1 : 0;
}

# The pids that answered since the log was emptied.
sub answered
{
    my ($httpd) = @_;
    my $log = ACME::Rig->read_file($httpd->root . '/logs/access_log') // '';
    my %pid = map { /^(\d+)/ ? ($1 => 1) : () } split /\n/, $log;

    return keys %pid;
}

sub forget_answers { return truncate $_[0]->root . '/logs/access_log', 0 }

# Connect until each child has answered; the certificates that were seen.
sub seen_by_all
{
    my ($httpd, $host, $min) = @_;
    my %seen;

    forget_answers($httpd);
    ACME::Rig::wait_for(60, "answers of $min children", sub {
        my @open = map { keep_alive($httpd, $host) } 1 .. 12;

        for my $get (@open) {
            $seen{$name_of{ACME::Rig::certificate($get->())->{sha256}}
                  // 'stranger'}++;
            $get->('/');
        }
        my @pids = answered($httpd);
        return @pids >= $min;
    });
    return join ' ', sort keys %seen;
}

# ------------------------------------------------------------- first of all

# A host that started without any certificate: the 503 lifts by itself.
sub check_standin
{
    my ($httpd, $mpm) = @_;
    my ($pid, $restarts) = ($httpd->pid, $httpd->restarts);

    serves($httpd, 'b.test', 'stranger 503', "$mpm: the stand-in and 503");
    swap($httpd, 'b.test', 'one');
    serves($httpd, 'b.test', 'one', "$mpm: then the certificate and 200");
    serves($httpd, 'b.test', 'one', "$mpm: $_", tls => $_)
        for qw(TLSv12 TLSv13);
    serves($httpd, 'a.test', 'stranger 503', "$mpm: others keep the 503");
    is seen_by_all($httpd, 'b.test', 3), 'one', "$mpm: in every child";
    is $httpd->pid, $pid, "$mpm: the same httpd";
    is $httpd->restarts, $restarts, "$mpm: not restarted";
    return;
}

# Renewal: on the next handshake of every child, which are the same as
# before.
sub check_renewal
{
    my ($httpd, $mpm) = @_;
    my ($pid, @children) = ($httpd->pid, sort $httpd->children);

    swap($httpd, 'b.test', 'two');
    serves($httpd, 'b.test', 'two', "$mpm: renewed, TLS 1.2",
           tls => 'TLSv12');
    serves($httpd, 'b.test', 'two', "$mpm: renewed, TLS 1.3",
           tls => 'TLSv13');
    is seen_by_all($httpd, 'b.test', 3), 'two', "$mpm: by every child";
    my %now = map { $_ => 1 } $httpd->children;
    is_deeply [grep { !$now{$_} } @children], [],
        "$mpm: the children are the same";
    is $httpd->pid, $pid, "$mpm: so is their parent";
    return;
}

# HTTP/2 as well.
sub check_h2
{
    my ($httpd, $mpm) = @_;

    for my $name (qw(three one two)) {
        swap($httpd, 'b.test', $name);
        my $r = $rig->run(['curl', '-s', '--http2', '--noproxy', '*',
            '--cacert', $tls{$name}{ca}, '--resolve',
            'b.test:' . $httpd->https . ':127.0.0.1', '-o', '/dev/null',
            '-w', '%{http_code} %{http_version}',
            'https://b.test:' . $httpd->https . '/']);
        is $r->{out}, '200 2', "$mpm: h2 serves $name";
    }
    return;
}

# A connection stays what it is while its host is renewed, and what httpd
# says of its certificate stays true.
sub check_keep_alive
{
    my ($httpd, $mpm) = @_;

    for my $version (qw(TLSv12 TLSv13)) {
        swap($httpd, 'b.test', 'one');
        my $get = keep_alive($httpd, 'b.test', SSL_version => $version);
        is $get->('/')->{headers}{'x-serial'}, serial('one'), 'before';
        swap($httpd, 'b.test', 'two');
        my $answer = $get->('/');
        is_deeply [@$answer{qw(status body)}], [200, "the page\n"],
            "$mpm: $version: the connection goes on";
        is $answer->{headers}{'x-serial'}, serial('one'),
            'SSL_SERVER_M_SERIAL: what the connection began with';
        is $httpd->get_tls('b.test', '/')->{headers}{'x-serial'},
            serial('two'), 'and of a new one';
    }
    return;
}

# Without SNI the first host answers, with what is current there.
sub check_names
{
    my ($httpd, $mpm) = @_;

    swap($httpd, 'a.test', 'three');
    serves($httpd, '127.0.0.1', 'three', "$mpm: no SNI: the first host",
           sni => '');
    serves($httpd, 'x.test', 'three', "$mpm: an unknown name: the same");
    serves($httpd, 'b.test', 'two', "$mpm: SNI: the named one");
    serves($httpd, 'c.test', 'stranger 503', "$mpm: which may have none");
    return;
}

# --------------------------------------------------------------- the pitfalls

# A host that has loaded ECDSA and RSA: after the swap of one the other is
# still what was loaded, and after both none of the old ones is left.
sub check_types
{
    my ($httpd) = @_;
    my $both = sub { join ' ', map { served($httpd, 'a.test', key => $_) }
                     qw(ec rsa) };

    store($httpd, 'a.test', 'one');
    store($httpd, 'a.test~rsa-2048', 'rsa1');
    $httpd->graceful;
    is $both->(), 'one rsa1', 'loaded: both';
    swap($httpd, 'a.test', 'two');
    is $both->(), 'two rsa1', 'one is swapped: the other stays';
    swap($httpd, 'a.test~rsa-2048', 'rsa2');
    is $both->(), 'two rsa2', 'both are swapped';
    swap($httpd, 'a.test', 'three');
    is $both->(), 'three rsa2', 'each by itself';

    $httpd->graceful;
    is $both->(), 'three rsa2', 'a restart loads both';
    swap($httpd, 'a.test~rsa-2048', 'rsa1');
    is $both->(), 'three rsa1', 'RSA first, this time';
    return;
}

# A host that has started with ECDSA alone gets RSA, too; and a stand-in,
# which is ECDSA, is gone when RSA alone has come.
sub check_missing_type
{
    my ($httpd) = @_;

    rename $httpd->store . '/domains/a.test~rsa-2048', $httpd->store . '/r';
    $httpd->graceful;
    serves($httpd, 'a.test', 'no answer', 'no RSA', key => 'rsa');
    swap($httpd, 'a.test~rsa-2048', 'rsa2');
    serves($httpd, 'a.test', 'rsa2', 'RSA has come', key => 'rsa');
    serves($httpd, 'a.test', 'three', 'ECDSA is still there', key => 'ec');

    File::Path::remove_tree(glob $httpd->store . '/domains/a.test*');
    $httpd->graceful;
    serves($httpd, 'a.test', 'stranger 503', 'nothing: the stand-in');
    swap($httpd, 'a.test~rsa-2048', 'rsa1');
    serves($httpd, 'a.test', 'rsa1', 'RSA alone', key => 'rsa');
    serves($httpd, 'a.test', 'no answer', 'the stand-in is gone',
           key => 'ec');
    swap($httpd, 'a.test', 'one');
    serves($httpd, 'a.test', 'one', 'both are there', key => 'ec');
    return;
}

# A session of before a swap is taken up; what httpd says of its certificate
# is about the one it has now.
sub check_resumption
{
    my ($httpd) = @_;

    for my $case (['-tls1_2'], ['-tls1_2', '-no_ticket'], ['-tls1_3']) {
        my $file = $rig->path('session.pem');

        swap($httpd, 'b.test', 'one');
        my $first = s_client($httpd, 'b.test', @$case, '-sess_out', $file);
        is_deeply [@$first{qw(status kind serial)}],
            [200, 'New', serial('one')], "@$case: a new session";
        swap($httpd, 'b.test', 'two');
        my $then = s_client($httpd, 'b.test', @$case, '-sess_in', $file);
        is_deeply [@$then{qw(status kind serial)}],
            [200, 'Reused', serial('two')], "@$case: resumed after a swap"
            or diag $then->{out};
    }
    return;
}

# With two key types the one is named that the session was made with.
sub check_resumption_types
{
    my ($httpd) = @_;
    my %name = (ECDSA => 'two', RSA => 'rsa2');
    my $file = $rig->path('session.pem');

    swap($httpd, 'a.test', 'two');
    swap($httpd, 'a.test~rsa-2048', 'rsa2');
    for my $type (sort keys %name) {
        my @args = ('-tls1_2', '-cipher', "ECDHE-$type-AES128-GCM-SHA256");

        s_client($httpd, 'a.test', @args, '-sess_out', $file);
        my $then = s_client($httpd, 'a.test', @args, '-sess_in', $file);
        is_deeply [@$then{qw(kind serial)}],
            ['Reused', serial($name{$type})], "$type resumed";
    }
    return;
}

# A renegotiation in TLS 1.2 shows the certificate that the connection began
# with, whatever was swapped meanwhile.
sub check_renegotiation
{
    my ($httpd) = @_;

    swap($httpd, 'b.test', 'one');
    my $get = keep_alive($httpd, 'b.test', SSL_version => 'TLSv12',
        SSL_use_cert => 1, SSL_cert_file => $client->{cert},
        SSL_key_file => $client->{key});
    is $get->('/')->{headers}{'x-client'}, '(null)', 'no client certificate';
    swap($httpd, 'b.test', 'two');
    my $answer = $get->('/private/index.html');
    is_deeply [@$answer{qw(status body)}], [200, "private\n"],
        'renegotiated in the middle';
    like $answer->{headers}{'x-client'}, qr/CN=rig server/,
        'with a client certificate';
    is $answer->{headers}{'x-serial'}, serial('one'),
        'the certificate is the same';
    is $name_of{ACME::Rig::certificate($get->())->{sha256}}, 'one',
        'which the client saw';
    serves($httpd, 'b.test', 'two', 'a new connection gets the new one');

    # One that began with what was loaded keeps that.
    store($httpd, 'b.test', 'three');
    $httpd->graceful;
    $get = keep_alive($httpd, 'b.test', SSL_version => 'TLSv12',
        SSL_use_cert => 1, SSL_cert_file => $client->{cert},
        SSL_key_file => $client->{key});
    $get->('/');
    swap($httpd, 'b.test', 'one');
    is $get->('/private/index.html')->{status}, 200, 'renegotiated';
    is $name_of{ACME::Rig::certificate($get->())->{sha256}}, 'three',
        'what was loaded stays';
    return;
}

# A graceful restart never goes back to an older certificate, not for one
# handshake: what was swapped is loaded, and slots begin empty.
sub check_restart
{
    my ($httpd) = @_;

    swap($httpd, 'b.test', 'one');
    swap($httpd, 'b.test', 'two');
    my $log = $rig->path('seen');
    my $pid = $rig->spawn_sub(sub {
        open my $out, '>', $log or die $!;
        $out->autoflush(1);
        while (1) {
            print {$out} served($httpd, 'b.test'), "\n";
        }
    });
    for my $n (1 .. 3) {
        my $before = -s $log // 0;
        ACME::Rig::wait_for(30, 'answers', sub { (-s $log // 0) > $before });
        $httpd->graceful;
    }
    $rig->kill_pid($pid);
    my %seen = map { $_ => 1 } split /\n/, $rig->read_file($log);
    # The last line may be half written.
    is_deeply [grep { /^(?:one|three|stranger)/ } keys %seen], [],
        'only the new one during three restarts';
    ok $seen{two}, 'which was asked for' or diag join ', ', keys %seen;
    swap($httpd, 'b.test', 'one');
    serves($httpd, 'b.test', 'one', 'and swaps go on after it');
    return;
}

# Slots are found by id: hosts that change their order, or come and go, at a
# restart get their own.
sub check_order
{
    my ($httpd) = @_;
    my @names = qw(c.test b.test a.test);

    store($httpd, $_, 'one') for @names;
    $httpd->graceful;
    $httpd->write_config(config($httpd, names => \@names));
    $httpd->graceful;
    swap($httpd, 'b.test', 'two');
    swap($httpd, 'c.test', 'three');
    is join(' ', map { served($httpd, $_) } sort @names), 'one two three',
        'another order';
    $httpd->write_config(config($httpd, names => ['0.test', @names]));
    $httpd->graceful;
    is join(' ', map { served($httpd, $_) } sort @names), 'one two three',
        'one more: all are loaded';
    swap($httpd, 'b.test', 'four');
    is join(' ', map { served($httpd, $_) } sort @names), 'one four three',
        'and swapped';
    $httpd->write_config(config($httpd));
    $httpd->graceful;
    is join(' ', map { served($httpd, $_) } sort @names), 'one four three',
        'one fewer';
    return;
}

# --------------------------------------------------------------- bad input

# What cannot be served is said once a child, and the last good certificate
# stays, whether it was loaded or swapped.
sub check_faults
{
    my ($httpd) = @_;
    my $weak = $rig->path('weak.pem');
    my $cert = $rig->read_file($tls{two}{cert});
    my $key = $rig->read_file($tls{two}{key});
    my $file = sub { return $rig->write_file('fault/' . shift, shift) };

    $rig->openssl('req', '-x509', '-newkey', 'rsa:1024', '-nodes', '-keyout',
                  $weak, '-out', "$weak.crt", '-subj', '/CN=b.test');
    $rig->openssl('pkey', '-in', $tls{two}{key}, '-aes256', '-passout',
                  'pass:secret', '-out', "$weak.locked");
    my @faults = (
        ['no PEM', $file->('x', "junk\n"), $tls{two}{key}],
        ['no key', $tls{two}{cert}, $file->('x', "junk\n")],
        ['half a certificate', $file->('half', substr $cert, 0, 300),
         $tls{two}{key}],
        ['a chain with a torn end', $file->('torn', $cert
             . substr $cert, 0, 200), $tls{two}{key}],
        ['half a key', $tls{two}{cert}, $file->('halfkey', substr $key, 0, 90)],
        ['a key of another certificate', $tls{two}{cert}, $tls{one}{key}],
        ['a key of another type', $tls{two}{cert}, $tls{rsa1}{key}],
        ['a key with a pass phrase', $tls{two}{cert}, "$weak.locked"],
        ['a key too weak for OpenSSL', "$weak.crt", $weak],
    );
    for my $base (qw(loaded swapped)) {
        store($httpd, 'b.test', 'three');
        $httpd->graceful;
        swap($httpd, 'b.test', 'one') if $base eq 'swapped';
        my $good = $base eq 'swapped' ? 'one' : 'three';
        is seen_by_all($httpd, 'b.test', 3), $good, "$base in every child";
        # Too weak is found out only by trying; then what was loaded stays.
        my @all = $base eq 'swapped' ? @faults[0 .. $#faults - 1] : @faults;

        for my $fault (@all) {
            my ($what, @files) = @$fault;
            my $before = () = $httpd->error_log =~ /ACME0400: /g;

            is put_files($httpd, 'b.test', 99, @files)->{status}, 0, $what;
            serves($httpd, 'b.test', $good, "the $base one stays") for 1 .. 3;
            is seen_by_all($httpd, 'b.test', 3), $good, 'in every child';
            my $lines = (() = $httpd->error_log =~ /ACME0400: /g) - $before;
            my @children = $httpd->children;
            ok $lines >= 3 && $lines <= @children, 'one line a child'
                or diag "$lines lines, " . @children . ' children';
        }
        like $httpd->error_log_tail(2000), qr/ACME0400: [^\n]* b\.test /,
            'the name is in it';
        swap($httpd, 'b.test', 'two');
        serves($httpd, 'b.test', 'two', 'a good one is served at once');
    }
    return;
}

# A host that has nothing but a bad certificate keeps its 503.
sub check_bad_first
{
    my ($httpd) = @_;

    File::Path::remove_tree(glob $httpd->store . '/domains/*');
    $httpd->graceful;
    put_files($httpd, 'b.test', 1, $tls{two}{cert}, $tls{one}{key});
    serves($httpd, 'b.test', 'stranger 503', 'a bad one only: 503');
    swap($httpd, 'b.test', 'two');
    serves($httpd, 'b.test', 'two', 'a good one: served');
    return;
}

# The writer's own limits: acmectl gets a status for each.
sub check_limits
{
    my ($httpd) = @_;
    my ($cert, $key) = @{$tls{one}}{qw(cert key)};
    my $long = $rig->write_file('long', 'x' x 16_385);
    my $text = sub { return put_files($httpd, @_)->{err} };

    isnt $text->('d.test', 1, $cert, $key), '', 'a name of nobody';
    isnt $text->('b.test~rsa-2048', 1, $cert, $key), '', 'a type of nobody';
    isnt $text->('b.test', 0, $cert, $key), '', 'generation 0';
    isnt $text->('b.test', 1, $long, $key), '', 'a chain too long';
    isnt $text->('b.test', 1, $cert, $long), '', 'a key too long';
    isnt $text->('b.test', 1, $cert, $rig->write_file('empty', '')), '',
        'an empty key';
    serves($httpd, 'b.test', 'two', 'nothing has changed');
    return;
}

# A segment of another version, or what is left of one, is replaced at the
# next restart; until then children serve what they have.
sub check_format
{
    my ($httpd) = @_;
    my $segment = segment($httpd);

    swap($httpd, 'b.test', 'one');
    for my $format (1, 999) {
        open my $out, '+<', $segment or die $!;
        seek $out, 8, 0;
        print {$out} pack 'L', $format;
        close $out;
        my $r = put_files($httpd, 'b.test', 5, @{$tls{two}}{qw(cert key)});
        like $r->{err}, qr/of another format/, "format $format: not written";
        serves($httpd, 'b.test', 'one', 'children go on');
        $httpd->graceful;
        serves($httpd, 'b.test', 'one', 'replaced at a restart');
        swap($httpd, 'b.test', 'two');
        serves($httpd, 'b.test', 'two', 'which swaps');
        swap($httpd, 'b.test', 'one');
    }
    unlink $segment;
    isnt put_files($httpd, 'b.test', 5, @{$tls{two}}{qw(cert key)})->{status},
        0, 'removed: the writer is told';
    serves($httpd, 'b.test', 'one', 'children go on');
    $httpd->graceful;
    swap($httpd, 'b.test', 'two');
    serves($httpd, 'b.test', 'two', 'a restart makes a new one');
    return;
}

# ---------------------------------------------------------------- the keys

# Nobody but httpd's children gets at the keys, and they cannot write them.
sub check_secrecy
{
    my ($httpd, $mpm) = @_;
    my $segment = segment($httpd);
    my $user = $httpd->{user};
    my $refused = sub {
        my ($what, @command) = @_;
        my $r = $rig->run(\@command, user => $user);

        isnt $r->{status}, 0, "$mpm: $user: $what" or diag $r->{out};
        unlike $r->{out}, qr/PRIVATE KEY/, 'no key';
    };
    # One that has not been told to end by the last restart.
    my ($pid) = grep { (ACME::Rig->read_file("/proc/$_/maps") // '')
                       =~ m{/acme-live$}m } $httpd->children;

    for my $file ($segment, "$segment.challenges") {
        is +(stat $file)[2] & 07777, 0600, 'the file is private';
        $refused->('open the segment', 'cat', $file);
        $refused->('write it', 'dd', 'if=/dev/zero', "of=$file", 'count=1',
                   'conv=notrunc');
    }
    my ($from) = (ACME::Rig->read_file("/proc/$pid/maps") // '')
        =~ m{^(\w+-\w+) r--s .*/acme-live$}m;
    ok $from, 'a child has the segment, for reading alone';
    $refused->('read its memory', 'dd', "if=/proc/$pid/mem", 'count=1');
    $refused->('read its maps', 'cat', "/proc/$pid/maps");
    $refused->('open what it maps', 'cat', "/proc/$pid/map_files/$from");
    $refused->('list its descriptors', 'ls', "/proc/$pid/fd/");
    is_deeply [grep { (readlink // '') =~ /acme-live/ }
               glob "/proc/$pid/fd/*"], [], 'no descriptor of it';
    return if $mpm ne 'event';
    my $copy = $rig->path('attacked');
    my $r = $rig->run([$live_attack, $copy, $user]);
    is $r->{status}, 0, 'a process with the mapping that turned hostile'
        or diag $r->{err};
    like $r->{out}, qr/^refused: $_$/m, $_
        for 'mprotect', 'remap', 'open', 'map_files', 'store';
    return;
}

# ----------------------------------------------------------------------- go

{
    my $httpd = make_httpd('event');

    $httpd->start;
    check_standin($httpd, 'event');
    check_renewal($httpd, 'event');
    check_h2($httpd, 'event');
    check_keep_alive($httpd, 'event');
    check_names($httpd, 'event');
    check_types($httpd);
    check_missing_type($httpd);
    check_resumption($httpd);
    check_resumption_types($httpd);
    check_renegotiation($httpd);
    check_restart($httpd);
    check_order($httpd);
    check_faults($httpd);
    check_bad_first($httpd);
    check_limits($httpd);
    check_format($httpd);
    check_secrecy($httpd, 'event');
    is $httpd->faults, '', 'no child crashed';
    $httpd->stop;
}
for my $mpm (qw(worker prefork)) {
    my $httpd = make_httpd($mpm, mpm => $mpm);

    $httpd->start;
    check_standin($httpd, $mpm);
    check_renewal($httpd, $mpm);
    check_h2($httpd, $mpm) if $mpm ne 'prefork';
    check_keep_alive($httpd, $mpm);
    check_names($httpd, $mpm);
    check_secrecy($httpd, $mpm);
    is $httpd->faults, '', "$mpm: no child crashed";
    $httpd->stop;
}
done_testing;
