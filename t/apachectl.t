#!/usr/bin/perl

# Where the configuration needs an environment, as Debian's does, acmectl
# reaches httpd through apachectl: any program that hands its arguments on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use ACME::Rig;
use ACME::Rig::Httpd;
use ACME::Rig::Pebble;

ACME::Rig::skip_unless_able(qw(openssl pebble pebble-challtestsrv));
my $rig = ACME::Rig->new;
my $httpd = ACME::Rig::Httpd->new($rig,
                                  env => { ACME_TEST_NAME => 'env.test' });
my $ca = ACME::Rig::Pebble->new($rig, http => $httpd->http,
                                https => $httpd->https)->start;
my ($http, $https, $store) = ($httpd->http, $httpd->https, $httpd->store);
my ($directory, $ca_file) = ($ca->directory, $ca->ca_file);
my $binary = $httpd->binary;

$httpd->write_config(<<"END");
ACMEStoreDir "$store"
ACMECertificateAuthority $directory
ACMECACertificateFile "$ca_file"
ACMEAgreement accepted
ACMEContact none
ACMEPortMap http:$http https:$https
ACMEDomain \${ACME_TEST_NAME}
<Directory "/">
    Require all granted
</Directory>
<VirtualHost *:$https>
    ServerName \${ACME_TEST_NAME}
    SSLEngine on
</VirtualHost>
END
$httpd->write_page('index.html', "hello\n");
my $ctl = $rig->write_file('apachectl', <<"END", 0755);
#!/bin/sh
ACME_TEST_NAME=env.test
export ACME_TEST_NAME
exec $binary "\$@"
END
# httpd runs with an older configuration, so that it has to be restarted.
my $config = $httpd->{text};
$httpd->write_config($config =~ s/^ACMEDomain.*/ACMEDomain old.test/mr
                     =~ s{<VirtualHost.*</VirtualHost>}{}sr);
$httpd->start;
$httpd->write_config($config);

my @args = ('-d', $httpd->root, '-f', $httpd->config, 'issue', 'env.test');
my $r = $rig->acmectl(['--httpd', $binary, @args]);
is $r->{status}, 4, 'without the environment httpd refuses';
like $r->{err}, qr/ACME_TEST_NAME/, '... and says which variable it misses';

my ($pid, $restarts) = ($httpd->pid, $httpd->restarts);
$r = $rig->acmectl(['--httpd', $ctl, @args]);
is $r->{status}, 0, 'through apachectl the certificate is issued'
    or diag $r->{out}, $r->{err};
is $httpd->pid, $pid, 'httpd is the same';
is $httpd->restarts, $restarts + 1, 'restarted gracefully';
is $httpd->get_tls('env.test', '/index.html', ca => $ca->roots_file)
    ->{status}, 200, 'and serves it';

# ------------------------------------------------- apachectl acme-VERB

# The snippet is added once, however often, and removed without a trace.
my $top = $ACME::Rig::TOP;
my $snippet = ACME::Rig::builddir() . '/conf/envvars-acme';
my $installed = ACME::Rig::acmectl_path();
my $text = $rig->read_file($snippet);
$text =~ s{"[^"]*/acmectl"}{"$installed"}g;
$snippet = $rig->write_file('envvars-acme', $text);
my $original = "export ACME_TEST_NAME=env.test\n# no newline at the end";
my $envvars = $rig->write_file('envvars', $original, 0640);

sub verbs { return $rig->run(['sh', "$top/support/apachectl-verbs", @_]) }

is verbs('add', $snippet, $envvars)->{status}, 0, 'the snippet is added';
my $once = $rig->read_file($envvars);
like $once, qr/^\Q$original\E\n# mod_acme begin/, '... behind the rest';
is verbs('add', $snippet, $envvars)->{status}, 0, 'added again';
is $rig->read_file($envvars), $once, '... it stands there once';
is((stat $envvars)[2] & 07777, 0640, '... with the mode kept');
is verbs('remove', $envvars)->{status}, 0, 'it is removed';
is $rig->read_file($envvars), "$original\n", '... without a trace';
is verbs('remove', $envvars)->{status}, 0, 'removing nothing is fine';
is verbs('remove', $rig->path('none'))->{status}, 0, '... also no file';

$r = verbs('add', $snippet, $rig->path('none'));
is $r->{status}, 1, 'a missing envvars is an error';
like $r->{err}, qr/none; name the envvars file of your apachectl/,
    '... that says what to do';
my $damaged = "a=1\n# mod_acme begin\nb=2\n";
$rig->write_file('damaged', $damaged);
$r = verbs('add', $snippet, $rig->path('damaged'));
is $r->{status}, 1, 'damaged marks are not guessed at';
like $r->{err}, qr/by hand/, '... but told';
is $rig->read_file($rig->path('damaged')), $damaged,
    '... and left alone';
my $broken = $rig->write_file('broken', "case x in\n");
is verbs('add', $snippet, $broken)->{status}, 1,
    'a file that is no shell script is left alone';
is $rig->read_file($broken), "case x in\n", '... as it was';
ok !(grep { /acme-\d+$/ } glob($rig->path('*'))), 'nothing is left behind';

# Upstream's apachectl, in what matters here: it sources envvars and hands
# on what it does not know.
my $upstream = $rig->write_file('up/apachectl', <<"END", 0755);
#!/bin/sh
ACMD="\$1"
ARGV="\$@"
HTTPD='$binary -d ${\$httpd->root} -f ${\$httpd->config}'
if test -f $envvars; then
  . $envvars
fi
ERROR=0
if [ "x\$ARGV" = "x" ]; then
    ARGV="-h"
fi
case \$ACMD in
start|stop|restart|graceful|graceful-stop)
    \$HTTPD -k \$ARGV
    ERROR=\$?
    ;;
configtest)
    \$HTTPD -t
    ERROR=\$?
    ;;
*)
    \$HTTPD "\$@"
    ERROR=\$?
esac
exit \$ERROR
END

# Every other verb does with the snippet what it does without.
sub answers
{
    my ($ctl, %env) = @_;
    my @answers;

    for my $args ([], ['configtest'], ['-v'], ['-t', '-D', 'DUMP_VHOSTS'],
                  ['bogus'], ['help'], ['-t', 'acme-status']) {
        my $r = $rig->run([$ctl, @$args], env => \%env);
        (my $all = "$r->{status}|$r->{out}|$r->{err}")
            =~ s/pid \d+|tid \d+|\[[A-Z][a-z]{2} [^]]*\]//g;
        push @answers, $all;
    }
    return \@answers;
}

sub check_verbs
{
    my ($what, $ctl, %env) = @_;

    verbs('remove', $envvars);
    my $before = answers($ctl, %env);
    verbs('add', $snippet, $envvars);
    is_deeply answers($ctl, %env), $before,
        "$what: other verbs are as they were";
    my $r = $rig->run([$ctl, 'acme-certificates', '--json'], env => \%env);
    is $r->{status}, 0, "$what: acme-certificates" or diag $r->{err};
    like $r->{out}, qr/"name":"env\.test"/, '... of this httpd';
    $r = $rig->run([$ctl, 'acme-issue'], env => \%env);
    is $r->{status}, 2, "$what: acmectl's exit status is kept";
    $r = $rig->run([$ctl, 'acme-issue', '--force', 'env.test'],
                   env => \%env);
    is $r->{status}, 0, "$what: acme-issue" or diag $r->{err};
    return;
}

check_verbs('upstream', $upstream);

# Debian's own, with its configuration directory.
SKIP: {
    my $debian = ACME::Rig::cache_dir() . '/apachectl/usr/sbin/apache2ctl';

    skip "Debian's apachectl is not here: sh support/prepare apachectl", 5
        if !-x $debian;
    symlink $httpd->config, $httpd->root . '/apache2.conf';
    check_verbs('Debian', $debian, APACHE_CONFDIR => $httpd->root,
                APACHE_ENVVARS => $envvars, APACHE_HTTPD => $binary);
}

done_testing;
