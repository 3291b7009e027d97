#!/usr/bin/perl

# `httpd -t -D DUMP_ACME`: the configuration as httpd itself read it, for
# every way in which a configuration can be written.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use ACME::Conf;
use ACME::Hosts;
use ACME::Schema;

my $conf = ACME::Conf->new;
my $dir = $conf->dir;

# The document of a configuration that httpd accepts.
sub document
{
    my ($text, %opt) = @_;
    my $r = $conf->dump($text, %opt);

    ok $r->{status} == 0 && $r->{json}, $opt{what} // 'a document'
        or diag $r->{out}, $r->{err};
    return wantarray ? ($r->{json}, $r) : $r->{json};
}

# Some fields of each virtual host.
sub hosts
{
    my ($json, @fields) = @_;

    return [map { my $host = $_; [map { $host->{$_} } @fields] }
            @{$json->{virtual_hosts}}];
}

# ---------------------------------------------------------------- the schema

my $schema = ACME::Schema->new('state/config-dump');

sub valid
{
    my ($json, $what) = @_;

    is_deeply [$schema->faults($json)], [], "$what: the schema";
    return;
}

# The check itself sees faults.
{
    my $json = document("ACMEDomain main.test\n");
    my $no_server = { %$json };
    delete $no_server->{server};
    ok $schema->faults($no_server), 'a field missing is seen';
    ok $schema->faults({ %$json, more => 1 }), 'and one too many';
    ok $schema->faults({ %$json, domains => {} }), 'a wrong type';
    $json->{domains}[0]{settings}{renew_window} = { percent => 100 };
    ok $schema->faults($json), 'a wrong value';
}

# ---------------------------------------------------------------- the server

# The server: its program, version, paths, user, ports and modules.
{
    my ($json, $r) = document(<<"END", what => 'a server');
ServerAdmin admin\@example.org
ACMEStoreDir store
ACMEPortMap http:8080 https:-
Listen [::1]:2
Listen 3
Listen 127.0.0.1:4 acme
User www-data
Group #65534
END
    valid $json, 'server';
    is $json->{schema}, 'acme-config-dump/1', 'its schema';
    my $server = $json->{server};
    is $server->{binary}, Cwd::abs_path(ACME::Conf::httpd()), 'binary'
        if !$ENV{ACME_PRELOAD};
    my ($version) = $conf->run_httpd(['-v'])->{out} =~ m{Apache/(\S+)};
    is $server->{version}, $version, 'version';
    is $server->{root}, $dir, 'root';
    is $server->{config}, "$dir/conf/httpd.conf", 'main file';
    is $server->{pid_file}, "$dir/run/httpd.pid", 'pid file';
    is $server->{store}, "$dir/store", 'store';
    is $server->{live}, "$dir/run/acme-live", 'live segment';
    is $server->{admin}, 'admin@example.org', 'admin';
    is_deeply $server->{port_map}, { http => 8080, https => undef },
        'port map';
    is $server->{user}, 'www-data', 'user';
    is $server->{group}, '#65534', 'group';
    my @listen = map { "$_->{address} $_->{port} $_->{protocol}" }
        @{$server->{listeners}};
    is $listen[0], '127.0.0.1 1 http', 'listeners in order: IPv4';
    is $listen[1], '::1 2 http', 'IPv6';
    like $listen[2], qr/^(::|0\.0\.0\.0) 3 http$/, 'every address';
    is $listen[-1], '127.0.0.1 4 acme', 'with their protocol';
    is_deeply [sort keys %{$json->{modules}}],
        [qw(alias headers http2 macro rewrite so socache_shmcb ssl)],
        'modules by name';
    ok $json->{modules}{ssl} && $json->{modules}{so}
        && !$json->{modules}{rewrite}, 'loaded or not';
    like $r->{err}, qr/^Syntax OK$/m, 'Syntax OK goes to standard error';
}

# The main file is found as httpd finds it: relative to -d, whatever
# ServerRoot says later; what stands on the command line counts.
{
    my $other = $conf->path('htdocs');
    my $full = $conf->prologue . "ServerRoot \"$other\"\n";
    $conf->write_file('conf/rel.conf', $full);
    my $r = $conf->run_httpd(['-d', $dir, '-fconf/rel.conf', '-C', 'Define X',
                              '-t', '-DDUMP_ACME']);
    my $json = JSON::PP->new->decode($r->{out});
    is $json->{server}{config}, "$dir/conf/rel.conf", 'relative to -d';
    is $json->{server}{root}, $other, 'while ServerRoot is another';
}
is document('')->{server}{admin}, undef, 'no ServerAdmin';
is_deeply document('')->{virtual_hosts}, [], 'no virtual hosts';
is_deeply document('')->{domains}, [], 'no domains';

# acmectl adds the module to a configuration that does not load it yet.
{
    my @modules = grep { $_ ne 'acme' } @ACME::Conf::MODULES;
    my $json = document("<VirtualHost *:1>\nServerName a.test\n"
                        . "</VirtualHost>\n", modules => \@modules,
                        args => ['-C', 'LoadModule acme_module "'
                                 . ACME::Rig::module_path() . '"'],
                        what => 'LoadModule on the command line');
    valid $json, 'LoadModule on the command line';
    is $json->{virtual_hosts}[0]{server_name}, 'a.test', 'its hosts';
}

# Without the name nothing is printed; nor is half a document a success.
is $conf->check('')->{out}, '', 'httpd -t alone prints nothing';
{
    my $file = $conf->check('')->{file};
    my $r = $conf->run_httpd(['-f', $file, '-t', '-D', 'DUMP_ACME'],
                             to => '/dev/full');
    is $r->{status}, 1, 'a full disk is a failure';
    like $r->{err}, qr/ACME0021: DUMP_ACME cannot be written/, 'and said';
}
{
    my $r = $conf->dump("ACMEDomain localhost\n");
    is $r->{status}, 1, 'a wrong configuration';
    is $r->{out}, '', 'has no document';
}

# ------------------------------------------------------------- virtual hosts

# Each host with its names, addresses and place, in the order of definition.
{
    my ($json, $r) = document(<<"END", what => 'virtual hosts');
<VirtualHost *:80>
    ServerName http://A.example.org:8080
    ServerAlias b.example.org *.c.example.org d.example.org
    ServerAlias e?.example.org
    DocumentRoot "$dir/htdocs"
    SSLEngine on
</VirtualHost>
<VirtualHost _default_:443>
</VirtualHost>
<VirtualHost 127.0.0.1:80 [::1]:81>
    ServerAlias only.example.org
    DocumentRoot /elsewhere
</VirtualHost>
<VirtualHost 127.0.0.2>
    ServerName any-port.example.org
</VirtualHost>
<VirtualHost localhost:82>
    ServerName by-name.example.org
</VirtualHost>
END
    my $line = $r->{first};
    valid $json, 'virtual hosts';
    is_deeply hosts($json, 'server_name'),
        [['A.example.org'], [undef], [undef], ['any-port.example.org'],
         ['by-name.example.org']], 'names; those of others are not theirs';
    is_deeply $json->{virtual_hosts}[0]{aliases},
        ['b.example.org', 'd.example.org', '*.c.example.org',
         'e?.example.org'], 'aliases, those with wildcards last';
    is_deeply hosts($json, 'line'),
        [map { [$line + $_] } 0, 7, 9, 13, 16], 'lines';
    is_deeply hosts($json, 'file', 'macro', 'defined')->[1],
        [$r->{file}, undef, undef], 'file, no macro, nothing said twice';
    my @texts = map { join ' ', map { "$_->{text}=$_->{address}:$_->{port}" }
                      @{$_->{addresses}} } @{$json->{virtual_hosts}};
    is $texts[0], '*=0.0.0.0:80 *=:::80', 'every address is two';
    is $texts[1], '_default_=0.0.0.0:443 _default_=:::443', '_default_';
    is $texts[2], '127.0.0.1=127.0.0.1:80 ::1=::1:81', 'IPv4 and IPv6';
    is $texts[3], '127.0.0.2=127.0.0.2:0', 'every port is 0';
    like $texts[4], qr/^localhost=(127\.0\.0\.1|::1):82/, 'a name';
    is_deeply hosts($json, 'document_root')->[2], ['/elsewhere'],
        'DocumentRoot';
    is_deeply hosts($json, 'document_root')->[1], ["$dir/htdocs"],
        'DocumentRoot, inherited';
    is_deeply [map { $_->{ssl} ? 1 : 0 } @{$json->{virtual_hosts}}],
        [1, 0, 0, 0, 0], 'SSLEngine';
}

# A host of the main server's name inherits nothing: it has no name itself.
is_deeply hosts((document("ServerName m.test\n<VirtualHost *:1>\n"
                          . "</VirtualHost>\n<VirtualHost *:1>\n"
                          . "ServerName m.test\n</VirtualHost>\n"))[0],
                'server_name'), [[undef], ['m.test']], 'no ServerName';

# Files come as httpd opened them: links are not resolved.
{
    my $host = sub { return "# one\n# two\n<VirtualHost *:1>\n"
        . "ServerName $_[0].test\n</VirtualHost>\n" };
    my $one = $conf->write_file('sites/1.conf', $host->('one'));
    my $two = $conf->write_file('sites/2.conf', $host->('two'));
    $conf->write_file('real/3.conf', $host->('three'));
    symlink '../real/3.conf', $conf->path('sites/3.conf') or die $!;
    my $json = document(<<"END", what => 'included files');
Include sites/1.conf
IncludeOptional sites/[23].conf
IncludeOptional missing/*.conf
END
    valid $json, 'included files';
    is_deeply hosts($json, 'server_name', 'file', 'line'),
        [['one.test', $one, 3], ['two.test', $two, 3],
         ['three.test', $conf->path('sites/3.conf'), 3]], 'file and line';
}

# Define, IfDefine, IfModule, IfVersion and IfFile are already decided;
# lines are those of the file.
{
    my ($json, $r) = document(<<"END", args => ['-D', 'WITH'],
Define name defined
<IfDefine WITH>
<VirtualHost *:1>
ServerName \${name}.test
ACMEDomain
</VirtualHost>
</IfDefine>
<IfDefine !WITH>
<VirtualHost *:1>
ServerName not.test
</VirtualHost>
</IfDefine>
<IfModule mod_ssl.c>
<IfModule !mod_missing.c>
<IfFile "$dir/conf/httpd.conf">
<VirtualHost *:1>
ServerName module.test
</VirtualHost>
</IfFile>
</IfModule>
</IfModule>
END
                              what => 'conditions');
    is_deeply hosts($json, 'server_name', 'line'),
        [['defined.test', $r->{first} + 2], ['module.test',
         $r->{first} + 15]], 'only what is true, at its line';
    is_deeply $json->{domains}[0]{names}, ['defined.test'],
        'variables are replaced';
    is $json->{domains}[0]{line}, $r->{first} + 4, 'a domain has its line';
}

# A host of a macro has no file to edit: only httpd's own text says where.
{
    my $include = $conf->write_file('conf/inc.conf', "<VirtualHost *:1>\n"
                                    . "ServerName inc.test\n</VirtualHost>\n");
    my ($json, $r) = document(<<"END", what => 'macros',
<Macro inner \$n>
# a comment
<VirtualHost *:1>
ServerName \$n
ACMEDomain
</VirtualHost>
</Macro>
<Macro outer \$n>
Use inner \$n.test
</Macro>
<Macro file>
Include $include
</Macro>
Use inner plain.test
Use outer nested
Use file
<VirtualHost *:1>
ServerName after.test
</VirtualHost>
END
                              modules => [@ACME::Conf::MODULES, 'macro']);
    valid $json, 'macros';
    is_deeply hosts($json, 'server_name', 'macro', 'file', 'line'),
        [['plain.test', JSON::PP::true(), undef, undef],
         ['nested.test', JSON::PP::true(), undef, undef],
         ['inc.test', undef, $include, 1],
         ['after.test', undef, $r->{file}, $r->{first} + 16]],
        'macros, nested macros, a file in a macro';
    my $use = $r->{first} + 13;
    like $json->{virtual_hosts}[0]{defined},
        qr/^macro 'inner' .*used on line $use of "\Q$r->{file}\E":\d+$/,
        'httpd\'s own text';
    is_deeply [map { $_->{name} } @{$json->{domains}}],
        ['plain.test', 'nested.test'], 'domains of macros';
    like $json->{domains}[0]{file}, qr/^macro 'inner' /, 'their place';
}

# A continued header stands at its last line; so does a continued domain.
{
    my ($json, $r) = document("<VirtualHost \\\n  *:1 \\\n  *:2>\n"
                              . "Server\\\nName a.test\nACMEDomain a.test \\\n"
                              . " b.test\n</VirtualHost>\n",
                              what => 'continued lines');
    is_deeply hosts($json, 'server_name', 'line'),
        [['a.test', $r->{first} + 2]], 'the last line of the header';
    is_deeply [@{$json->{domains}[0]}{qw(names line)}],
        [['a.test', 'b.test'], $r->{first} + 6], 'of a domain';
}

# Files with CRLF, form feeds and names in quotes.
{
    my $text = "<VirtualHost \"*:1\">\n\tServerName \"a.test\"\n"
        . "\fServerAlias 'b.test'\n ACMEDomain\t\n</VirtualHost>\n";
    $text =~ s/\n/\r\n/g;
    my ($json, $r) = document($text, what => 'CRLF');
    valid $json, 'CRLF';
    is_deeply hosts($json, 'server_name', 'aliases', 'line'),
        [['a.test', ['b.test'], $r->{first}]], 'no CR in any value';
    is_deeply $json->{domains}[0]{names}, ['a.test', 'b.test'], 'nor here';
}

# Hosts on the command line have no file.
{
    my $json = document('', what => 'a host on the command line', args =>
        [map { ('-c', $_) } '<VirtualHost *:1>', 'ServerName c.test',
         '</VirtualHost>']);
    valid $json, 'a host on the command line';
    is_deeply hosts($json, 'server_name', 'file', 'line', 'macro'),
        [['c.test', undef, undef, undef]], 'no file, no macro';
    like $json->{virtual_hosts}[0]{defined}, qr/:\d+\z/,
        'httpd\'s own text';
}

# JSON is UTF-8: other bytes in a path are replaced and reported.
{
    my $name = "sites/\xe9\xed\xa0\x80 \"x\\y\".conf";
    $conf->write_file("$name", "<VirtualHost *:1>\nServerName e.test\n"
                      . "DocumentRoot \"$dir/\xc3\xa4\"\n</VirtualHost>\n");
    my ($json, $r) = document("IncludeOptional sites/*x*.conf\n",
                              what => 'bytes that are not UTF-8');
    valid $json, 'bytes that are not UTF-8';
    is $json->{virtual_hosts}[0]{file},
        "$dir/sites/\x{fffd}\x{fffd}\x{fffd}\x{fffd} \"x\\y\".conf",
        'replaced, the rest kept';
    is $json->{virtual_hosts}[0]{document_root}, "$dir/\xe4", 'UTF-8 is kept';
    like $r->{err}, qr/ACME0020: .*is not UTF-8/, 'and reported';
    unlink $conf->path($name);
}

# ---------------------------------------------------------------- directives

# Directives as "NAME ARGS [SECTION, ...] LINE", lines from the text's first.
sub lines_of
{
    my ($list, $r) = @_;

    return [map { my $d = $_;
        join ' ', $d->{name}, $d->{args},
            $d->{within} ? '[' . join(', ', @{$d->{within}}) . ']' : (),
            defined $d->{line} ? $d->{line} - $r->{first} : '-' } @$list];
}

my @REDIRECTS = (@ACME::Conf::MODULES, qw(alias rewrite headers macro));

# Those of interest, with the sections around them; conditions, macros and
# includes are gone, what httpd spells counts, continued lines are joined.
{
    my $snippet = $conf->write_file('conf/snippet.conf',
        "# shared\nRedirect /s https://s.test/\nServerSignature Off\n"
        . "Redirect /n http://s.test/\nRedirectMatch gone ^/g\n");
    my ($json, $r) = document(<<"END", what => 'directives',
Header set X-Main "a b"
<VirtualHost *:1>
ServerName one.test
DocumentRoot "$dir/htdocs"
<IfModule mod_rewrite.c>
rewriteENGINE on
RewriteCond %{HTTPS} \\
  off
RewriteRule ^ https://%{HTTP_HOST}%{REQUEST_URI} [R]
</IfModule>
<Location "/x">
<If "true">
Redirect 301 / https://one.test/
</If>
</Location>
Include $snippet
RedirectMatch ^/y https://y.test/
RequestHeader unset Y
</VirtualHost>
<VirtualHost *:2>
ServerName two.test
SSLEngine on
ACMEDomain
<IfModule !mod_rewrite.c>
RewriteEngine on
</IfModule>
</VirtualHost>
<VirtualHost *:3>
</VirtualHost>
<ACMEDomain three.test>
ACMEAgreement accepted
</ACMEDomain>
<Directory "$dir">
<Files "a>b">
RedirectTemp /t https://t.test/
</Files>
</Directory>
SSLStaplingCache shmcb:run/stapling
Header always set Strict-Transport-security "max-age=1"
RewriteEngine on
RewriteRule ^/main /else
END
                              modules => \@REDIRECTS);
    valid $json, 'directives';
    my @of = map { $_->{directives} } @{$json->{virtual_hosts}};
    is_deeply lines_of($of[0], $r),
        ['RewriteEngine on 5', 'RewriteCond %{HTTPS}   off 7',
         'RewriteRule ^ https://%{HTTP_HOST}%{REQUEST_URI} [R] 8',
         'Redirect 301 / https://one.test/ [Location "/x", If "true"] 12',
         'Redirect /s https://s.test/ ' . (2 - $r->{first}),
         'RedirectMatch ^/y https://y.test/ 16'], 'of a host, in order';
    is_deeply [map { $_->{file} } @{$of[0]}[3 .. 5]],
        [undef, $snippet, undef], 'the file where it is not the host\'s';
    is_deeply lines_of($of[1], $r), ['SSLEngine on 21', 'ACMEDomain  22'],
        'SSL and ACME; not what a condition leaves out';
    is $of[2], undef, 'none';
    my $main = $json->{server}{main};
    is_deeply lines_of($main->{directives}, $r),
        ['ACMEAgreement accepted [ACMEDomain three.test] 30',
         "RedirectTemp /t https://t.test/ [Directory \"$dir\", "
         . 'Files "a>b"] 34',
         'SSLStaplingCache shmcb:run/stapling 37',
         'Header always set Strict-Transport-security "max-age=1" 38',
         'RewriteEngine on 39', 'RewriteRule ^/main /else 40'],
        'of the main server, without those of hosts';
    is_deeply [@$main{qw(server_name aliases document_root)}],
        ['main.test', [], "$dir/htdocs"], 'the main server as a host';
    ok $json->{server}{stapling_cache}, 'there is an SSLStaplingCache';
    is $json->{server}{modules_dir}, ACME::Conf::apxs('LIBEXECDIR'),
        'where modules lie';
}

# Directives of a macro have no file, hosts of macros have directives, and
# hosts are not mixed up where one macro makes several.
{
    my ($json, $r) = document(<<'END', modules => \@REDIRECTS,
<Macro host $n>
<VirtualHost *:1>
ServerName $n.test
Redirect / https://to.$n.test/
</VirtualHost>
</Macro>
<Macro redirect $n>
Redirect /$n https://$n.test/
</Macro>
Use host a
Use host b
<VirtualHost *:1>
Use redirect c
</VirtualHost>
Use redirect d
END
                              what => 'directives of macros');
    valid $json, 'directives of macros';
    is_deeply [map { lines_of($_->{directives}, $r) }
               @{$json->{virtual_hosts}}],
        [['Redirect / https://to.a.test/ -'], ['Redirect / https://to.b.test/ -'],
         ['Redirect /c https://c.test/ -']], 'each host its own';
    is_deeply lines_of($json->{server}{main}{directives}, $r),
        ['Redirect /d https://d.test/ -'], 'and the main server';
    is_deeply [map { $_->{file} } @{$json->{virtual_hosts}[2]{directives}}],
        [undef], 'no file';
}

# Rewrite rules of a host that never lead to a URL are nobody's business;
# where one does, all are told, as rules count each other. So is every place
# in another file than the host's.
{
    my $snippet = $conf->write_file('conf/rules.conf',
        "RewriteRule ^/b http://b.test/\n");
    my ($json, $r) = document(<<"END", modules => \@REDIRECTS,
<VirtualHost *:1>
ServerName none.test
Header set X-None 1
RewriteEngine on
RewriteMap low int:tolower
RewriteCond %{HTTPS} off
RewriteRule ^/a /b
RewriteOptions Inherit
</VirtualHost>
<VirtualHost *:1>
ServerName all.test
RewriteEngine on
RewriteMap low int:tolower
RewriteCond %{REQUEST_URI} ^/a
RewriteRule ^/a http://a.test/ [S=1]
<Location /x>
Include $snippet
</Location>
</VirtualHost>
END
                              what => 'rewrite rules');
    valid $json, 'rewrite rules';
    is_deeply [map { lines_of($_->{directives}, $r) }
               @{$json->{virtual_hosts}}],
        [['RewriteOptions Inherit 7'],
         ['RewriteEngine on 11', 'RewriteMap low int:tolower 12',
          'RewriteCond %{REQUEST_URI} ^/a 13',
          'RewriteRule ^/a http://a.test/ [S=1] 14',
          'RewriteRule ^/b http://b.test/ [Location /x] '
          . (1 - $r->{first})]], 'of hosts with one that leads to a URL';
}

# A host and a domain are one line each: who asks again compares lines.
{
    my ($json, $r) = document(join('', map {
        "<VirtualHost *:1>\nServerName l$_.test\nACMEDomain\n"
        . "</VirtualHost>\n" } 1 .. 3), what => 'lines');
    for my $list (qw(virtual_hosts domains)) {
        my ($lines) = $r->{out} =~ /^  "$list":\[\n(.*?)^  \]/ms;
        is scalar(() = $lines =~ /^    \{".*\},?$/mg), 3, "$list: each is";
        is $lines =~ tr/\n//, 3, 'and nothing else is there';
    }
}

# Listen as written, and where; nothing else of the server is known.
{
    my ($json, $r) = document("Listen 2 https\nLISTEN [::1]:3\n",
                              args => ['-c', 'Listen 4'], what => 'Listen');
    valid $json, 'Listen';
    is_deeply [map { [$_->{args}, $_->{file} ? $_->{line} - $r->{first}
                                             : undef] }
               @{$json->{server}{listen}}[1 .. 3]],
        [['2 https', 0], ['[::1]:3', 1], ['4', undef]], 'in order';
    is $json->{server}{listen}[0]{file}, $r->{file}, 'with their file';
    ok !$json->{server}{stapling_cache}, 'no SSLStaplingCache';
}

# What a directive says may be in any encoding; nobody has to rename it.
{
    my ($json, $r) = document("Header set Strict-Transport-Security "
                              . "\"\xe9\xc3\xa4\"\n",
                              modules => \@REDIRECTS, what => 'Latin-1');
    is $json->{server}{main}{directives}[0]{args},
        "set Strict-Transport-Security \"\x{fffd}\xe4\"", 'replaced';
    unlike $r->{err}, qr/ACME0020/, 'and not complained of';
}

# Sections may lie deeper than anybody reads.
{
    my $json = document(join('', map { "<IfDefine !D$_>\n<If \"true\">\n" }
                             1 .. 10)
                        . "Redirect / https://deep.test/\n"
                        . "</If>\n</IfDefine>\n" x 10,
                        modules => \@REDIRECTS, what => 'deep sections');
    is_deeply [map { scalar @{$_->{within}} }
               @{$json->{server}{main}{directives}}], [10],
        'the sections that are not decided while reading';
}

# --------------------------------------------------- the same as httpd -S

# Hosts as httpd's own table has them, in odd cases; with a ServerName of the
# main server, and without.
{
    my $host = sub { "<VirtualHost $_[0]>\n"
        . join('', map { "$_\n" } @_[1 .. $#_]) . "</VirtualHost>\n" };
    my $named = sub { return $host->($_[0], "ServerName $_[1]") };
    my %odd = (
        'IPv4 and IPv6, each as wildcard and address' => join('',
            $named->('*:80', 'a.test'), $named->('_default_:80', 'b.test'),
            $named->('0.0.0.0:80', 'c.test'), $named->('[::]:80', 'd.test'),
            $named->('127.0.0.1:80', 'e.test'),
            $host->('[::1]:80', 'ServerName f.test', 'ServerAlias g.test')),
        'names with scheme, port, quotes, in capitals, as addresses' =>
            join('', $host->('*:80', 'ServerName https://A.test:8443',
                             'ServerAlias A.test b.test:80 a.test'),
                 $named->('*:80', 'b.test:81'), $named->('*:80', '"q.test"'),
                 $host->('*:80', 'ServerName one.test', 'ServerName two.test'),
                 $named->('*:80', 'dot.test.'), $named->('*:80', '127.0.0.1'),
                 $named->('*:80', 'single')),
        'aliases with wildcards' => join('', $host->('*:80',
            'ServerName a.test', 'ServerAlias *.a.test ?.b.test x.test *'),
            $host->('*:80', 'ServerName c.test', 'ServerAlias *.A.test')),
        'the same name again' => join('', $named->('*:80', 'a.test'),
            $host->('*:80', 'ServerName a.test', 'ServerAlias a.test'),
            $named->('*:80', 'A.TEST'), $named->('127.0.0.1:80', 'a.test')),
        'several addresses' => join('',
            $named->('127.0.0.1:1 127.0.0.2:1 [::1]:1', 'a.test'),
            $named->('*:1 127.0.0.1:1 127.0.0.1:2', 'b.test')),
        'an address by its name' => join('',
            $named->('localhost:80', 'a.test'),
            $named->('localhost:80', 'b.test')),
        'every port' => join('', $named->('*', 'a.test'),
            $named->('_default_', 'b.test'), $named->('127.0.0.1', 'c.test'),
            $named->('*:*', 'd.test'), $named->('[::1]:*', 'e.test')),
        'no name' => join('', $host->('*:1'),
            $host->('*:1', 'ServerAlias only.test *.w.test'),
            $named->('*:1', 'n.test'), $host->('127.0.0.1:1'),
            $host->('127.0.0.9:1', 'ServerAlias x.test'),
            $host->('[::1]:1')),
        'no address' => join('', $named->('no.invalid:80', 'a.test'),
            $named->('no.invalid:80 *:80', 'b.test')),
        'an address in other spellings' => join('',
            $named->('[FE80:0:0::1]:80', 'a.test'),
            $named->('[fe80::1]:80', 'b.test'),
            $named->('[::ffff:127.0.0.1]:80', 'c.test'),
            $named->('127.0.0.1:80', 'd.test')),
    );
    for my $without (0, 1) {
        my $prologue = $conf->prologue;
        $prologue =~ s/^ServerName.*\n//m if $without;
        for my $what (sort keys %odd) {
            my $file = $conf->write_file('conf/odd.conf', $prologue
                                         . $odd{$what}, 0644);
            my ($ours, $theirs) = map { $conf->run_httpd(['-f', $file, '-t',
                '-D', $_])->{out} } qw(DUMP_ACME DUMP_VHOSTS);
            my $json = JSON::PP->new->utf8->decode($ours);
            valid $json, $what;
            is_deeply ACME::Hosts::of_document($json),
                ACME::Hosts::of_httpd($theirs), "as httpd -S: $what";
        }
    }
}

# The name that httpd compares with, and whether it was said.
{
    my $json = document("<VirtualHost *:1>\n</VirtualHost>\n"
                        . "<VirtualHost 192.0.2.1:1>\n</VirtualHost>\n"
                        . "<VirtualHost *:1>\nServerName A.test\n"
                        . "</VirtualHost>\n", what => 'names of hosts');
    is_deeply hosts($json, 'server_name', 'hostname')->[0],
        [undef, 'main.test'], 'the main server\'s';
    is_deeply hosts($json, 'server_name')->[1], [undef], 'whatever DNS says';
    is_deeply hosts($json, 'server_name', 'hostname')->[2],
        ['A.test', undef], 'its own, said once';
}

# ------------------------------------------------------------------- domains

# Domains in the order of definition, with the hosts that use them.
{
    my ($json, $r) = document(<<"END", what => 'domains');
<VirtualHost *:1>
ServerName one.test
ServerAlias www.one.test
ACMEDomain
</VirtualHost>
<ACMEDomain two.test alias.test>
ACMERenewWindow 12%
ACMEAgreement accepted
</ACMEDomain>
<VirtualHost *:1>
ServerName TWO.test
</VirtualHost>
<VirtualHost *:2>
ServerName x.test
ServerAlias ALIAS.test *.one.test
</VirtualHost>
<VirtualHost *:3>
ACMEDomain three.test
</VirtualHost>
ACMEDomain main.test four.test
END
    valid $json, 'domains';
    is_deeply [map { [@$_{qw(name names line virtual_hosts)}] }
               @{$json->{domains}}],
        [['one.test', ['one.test', 'www.one.test'], $r->{first} + 3, [0, 2]],
         ['two.test', ['two.test', 'alias.test'], $r->{first} + 5, [1, 2]],
         ['three.test', ['three.test'], $r->{first} + 17, [3]],
         ['main.test', ['main.test', 'four.test'], $r->{first} + 19, [3]]],
        'name, names, line and hosts';
    is_deeply $json->{domains}[1]{settings},
        { ca => ['https://acme-v02.api.letsencrypt.org/directory'],
          ca_certificate_file => undef, agreement => JSON::PP::true(),
          contact => [], challenges => ['http-01', 'tls-alpn-01'],
          private_keys => ['P-256'], renew_mode => 'auto',
          require_https => 'off', must_staple => JSON::PP::false(),
          renew_window => { percent => 12 } },
        'settings, the defaults filled in';
    is $json->{domains}[0]{settings}{agreement}, JSON::PP::false(),
        'of the section alone';
    like $r->{err}, qr/ACME0011: .* not with the same ACMEAgreement/,
        'which is warned of';
    unlike $r->{err}, qr/ACME0(?!011)/, 'and nothing else to say';
}

# An ordinary user may ask; nothing is written.
SKIP: {
    skip 'needs root', 4 if $>;
    my ($before) = map { join ' ', sort glob "$dir/run/* $dir/logs/*" } 1;
    my $json = document("ACMEDomain a.test\n<VirtualHost *:1>\n"
                        . "ServerName a.test\n</VirtualHost>\n",
                        user => 'nobody', what => 'an ordinary user');
    valid $json, 'an ordinary user';
    is $json->{domains}[0]{name}, 'a.test', 'gets the document';
    is join(' ', sort glob "$dir/run/* $dir/logs/*"), $before,
        'and leaves no file';
}

# Ten thousand hosts are one document.
{
    my $json = document(join('', map { "<VirtualHost *:1>\nServerName n$_.test"
        . "\nServerAlias *.n$_.test\nACMEDomain n$_.test www.n$_.test\n"
        . "</VirtualHost>\n" } 1 .. 10_000), what => 'ten thousand hosts');
    is scalar @{$json->{virtual_hosts}}, 10_000, 'all hosts';
    is_deeply [@{$json->{domains}[9_999]}{qw(name virtual_hosts)}],
        ['n10000.test', [9_999]], 'all domains';
}

done_testing;
