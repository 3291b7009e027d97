#!/usr/bin/perl

# acmectl secure on a terminal: it asks which names, which host, whether to
# redirect and whether you agree, shows what it will do, and asks again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use ACME::OldSite;
use ACME::Rig;
use ACME::Rig::Terminal;

plan skip_all => 'needs libio-pty-perl' if !ACME::Rig::Terminal::can();

my $scene = ACME::OldSite->new(hosts => <<'END')->start;
<VirtualHost *:%HTTP%>
    ServerName a.test
</VirtualHost>
<VirtualHost *:%HTTP%>
    ServerName b.test
    ServerAlias www.b.test
</VirtualHost>
END
my ($rig, $httpd, $ca) = ($scene->rig, $scene->httpd, $scene->ca);
my @server = ('--ca', $ca->directory, '--ca-certificate', $ca->ca_file,
              '--contact', 'none');
my $pristine = $scene->tree;

sub terminal
{
    my (@args) = @_;

    return ACME::Rig::Terminal->new($rig, [ACME::Rig::acmectl_path(),
        '--httpd', $httpd->binary, '-d', $httpd->root, '-f', $httpd->config,
        @args], rows => 100, columns => 200,
        env => { %{$httpd->env}, TERM => 'xterm', LC_ALL => 'C.UTF-8' });
}

# Whoever does not want to goes on as before, at each question.
for my $case (
    ['the names', qr/Which names/, []],
    ['the redirect', qr/Redirect visitors/, [[qr/Which names/, "2\r"]]],
    ['the terms', qr/terms of service/,
     [[qr/Which names/, "2\r"], [qr/Redirect visitors/, "n\r"]]],
    ['the changes', qr/Make these changes/,
     [[qr/Which names/, "2\r"], [qr/Redirect visitors/, "n\r"],
      [qr/terms of service/, "y\r"]]],
) {
    my ($what, $question, $before) = @$case;
    my $t = terminal('secure', @server);

    for my $step (@$before) {
        $t->until($step->[0]);
        $t->type($step->[1]);
    }
    $t->until($question);
    $t->type("\cD");
    is $t->end, 1, "cancelled at $what";
    like $t->screen, qr/cancelled; nothing was changed/, '... is told';
    is_deeply $scene->tree, $pristine, '... and true';
}

# No to the changes, no to the terms.
{
    my $t = terminal('secure', '--agree-tos', '--redirect', @server,
                     'b.test');

    $t->until(qr/Make these changes/);
    like $t->screen, qr/^\+\s+ACMEDomain b\.test/m, 'the changes are shown';
    like $t->screen, qr/warning:.*www\.b\.test/, 'and what to look at';
    $t->type("n\r");
    is $t->end, 1, 'no to the changes';
    is_deeply $scene->tree, $pristine, 'changes nothing';
    $t = terminal('secure', '--no-redirect', @server, 'b.test');
    $t->until(qr/terms of service/);
    $t->type("n\r");
    is $t->end, 2, 'no to the terms';
    is_deeply $scene->tree, $pristine, 'changes nothing';
}

# Yes to all of it.
{
    my $t = terminal('secure', @server);

    $t->until(qr/Which names/);
    like $t->screen, qr/1\s.*a\.test.*2\s.*b\.test.*3\s.*www\.b\.test/s,
        'all names are offered';
    $t->type("2-3\r");
    $t->until(qr/Redirect visitors/);
    $t->type("\r");
    $t->until(qr/terms of service/);
    $t->type("y\r");
    $t->until(qr/Make these changes/);
    $t->type("\r");
    is $t->end(60), 0, 'yes to all' or diag $t->screen;
    $scene->serves_ok($_) for 'b.test', 'www.b.test';
    is $httpd->get('b.test', '/')->{status}, 308, 'http redirects';
    is $httpd->get('a.test', '/')->{status}, 200, 'who was not chosen is '
        . 'as before';
}

# Who is secured is not offered again; --yes answers what is left.
{
    my $t = terminal('--yes', 'secure', @server);

    $t->until(qr/Which names/);
    unlike $t->screen, qr/b\.test/, 'secured names are not offered';
    $t->type("all\r");
    is $t->end(60), 0, '--yes' or diag $t->screen;
    $scene->serves_ok('a.test');
    $t = terminal('secure', @server);
    is $t->end, 0, 'then there is none';
    like $t->screen, qr/no name by http that is not secured/, 'is told';
    $scene->ends(['rollback', '2'], 0, 'rollback');
    is_deeply $scene->tree, $pristine, 'all files as before';
}

# Where a name could mean two hosts it is chosen from a menu.
{
    my ($one, $two) = $rig->ports(2);
    my $text = $scene->text;

    $scene->write($text . join '', map { <<"END" } $one, $two);
Listen 127.0.0.1:$_
<VirtualHost *:$_>
    ServerName c.test
</VirtualHost>
END
    $httpd->graceful;
    my $t = terminal('secure', '--plan', '--agree-tos', '--redirect',
                     @server, 'c.test');
    $t->until(qr/Which virtual host is the site of c\.test/);
    my ($line) = $t->screen =~ m{2\s+\S+/site\.conf:(\d+)};
    $t->type("2\r");
    is $t->end, 0, 'the second of two hosts';
    like $t->screen, qr{the TLS twin of \S+site\.conf:$line }, 'is the one';
    $scene->write($text);
    $httpd->graceful;
}

# The same in boxes, where dialog is installed.
SKIP: {
    skip 'needs dialog', 1 if !-x '/usr/bin/dialog';
    my $before = $scene->tree;
    my $t = ACME::Rig::Terminal->new($rig, [ACME::Rig::acmectl_path(),
        '--httpd', $httpd->binary, '-d', $httpd->root, '-f', $httpd->config,
        '--display', 'dialog:dialog', 'secure', @server],
        rows => 40, columns => 120,
        env => { %{$httpd->env}, TERM => 'xterm', LC_ALL => 'C.UTF-8' });

    $t->until(qr/Which names/);
    like $t->screen, qr/\[\*\] 1 +a\.test.*\n.*\[\*\] 2 +b\.test/,
        'boxes: the names';
    $t->type(' ', "\r");
    $t->until(qr/Redirect visitors/)->type("\r");
    $t->until(qr/terms of/)->type("\t", "\r");
    $t->until(qr/What is to be changed/);
    like $t->screen, qr/\+ACMEAgreement accepted/, 'boxes: the changes';
    $t->type("\r");
    $t->until(qr/Make these changes/)->type("\r");
    $t->until(qr/acmectl secure/, 60);
    like $t->screen, qr/validated: 26 checks, none failed/, 'boxes: the result';
    $t->type("\r");
    is $t->end, 0, 'boxes: done';
    is $t->screen, '', 'boxes: nothing is left on the terminal';
    $scene->serves_ok('b.test');
    $scene->ends(['rollback'], 0, 'boxes: rollback');
    is_deeply $scene->tree, $before, 'boxes: all files as before';
}

is $httpd->faults, '', 'no child of httpd crashed';
done_testing;
