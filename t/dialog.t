#!/usr/bin/perl

# Questions, progress and results on a terminal: as lines, and in the boxes
# of dialog and whiptail (and of bsddialog where there is one), with
# somebody who types, cancels and kills.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use ACME::Rig;
use ACME::Rig::Terminal;

plan skip_all => 'needs libio-pty-perl' if !ACME::Rig::Terminal::can();

my $rig = ACME::Rig->new(any_user => 1);
my $program = ACME::Rig::builddir() . '/t/lib/display_ask';
my $answers = $rig->path('answers');

# Let display_ask ask on a terminal.
sub sit
{
    my ($display, @words) = @_;
    my %opt = ref $words[0] ? %{shift @words} : ();

    unlink $answers;
    # A session whose leader ends takes the terminal with it.
    my @shell = $opt{shell} ? ('/bin/sh', '-c', 'trap : INT; "$@"; '
                               . 'echo status $?; read answer', 'sh') : ();
    return ACME::Rig::Terminal->new($rig, [@shell, $program, $answers,
        $display, @words], %opt, env => { TERM => 'xterm', LC_ALL => 'C.UTF-8',
                                %{$opt{env} // {}} });
}

sub answered { return $rig->read_file($answers) // '' }

# The run ended well, the terminal is set as it was and shows nothing more
# than this.
sub is_left
{
    my ($terminal, $screen, $name) = @_;

    is $terminal->end, 0, "$name: ended";
    is $terminal->screen, $screen, "$name: the screen";
    ok $terminal->mode eq $terminal->mode_before, "$name: the terminal's mode";
    return;
}

my @items = (item => 'a.test=/var/www/a', on => 'b.test', item => '--help',
             item => '-z', item => "\x{fc}.test=\e[2Jx");
utf8::encode($_) for @items;

my $cancelled = "status 125, exit 1: cancelled; nothing was changed\nend\n";

# ------------------------------------------------------------------- lines

my $t = sit('text', @items, yesno => 'Redirect?', menu => 'Which host?',
            checklist => 'Which names?', result => 'all done');
$t->until(qr{Redirect\? \[y/N\]})->type("yes\n");
$t->until(qr/Number \(1 to 5\)/)->type("2\n");
$t->until(qr/as marked/)->type("1,3-4\n");
is $t->end, 0, 'lines: ended';
is answered(), "yes\n2\non: 1 3 4\nend\n", 'lines: answered';
like $t->screen, qr/ 1 +a\.test +\/var\/www\/a\n +2 +b\.test\n +3 +--help\n/,
    'lines: items in columns';
like $t->screen, qr/\\x1B\[2Jx/, 'lines: what would clear it is shown';
like $t->screen, qr/all done$/, 'lines: the result follows';

$t = sit('text', @items, menu => 'Which host?');
$t->until(qr/Number/)->type("\cC");
is $t->end, 0, 'lines: an interrupt does not kill';
is answered(), $cancelled, 'lines: it cancels';

$t = sit('text', @items, menu => 'Which host?');
$t->until(qr/Number/)->type("\cD");
is $t->end, 0, 'lines: end of file';
is answered(), $cancelled, 'lines: cancels as well';

$t = sit('text', yes => yesno => 'Redirect?', menu => 'Which?');
is $t->end, 0, 'lines: --yes';
like answered(), qr/^yes\nstatus \d+, exit 1: .*nothing to choose/,
    'lines: it answers without being asked';
is $t->screen, '', 'lines: nor shows it anything';

$t = sit('text', pause => 1050, progress => 20, progress => 40, pause => 300,
         yesno => 'Redirect?');
$t->until(qr/40 of 100, 40 %/);
$t->until(qr/^Redirect\? \[y\/N\]$/)->type("\n");
is $t->end, 0, 'lines: progress';
is answered(), "no\nend\n", 'lines: and then a question';

# A line of the log takes the place of the one that is redrawn.
$t = sit('text', pause => 1050, progress => 20, log => 'mind the gap',
         progress => 40, pause => 300, yesno => 'Redirect?');
$t->until(qr/^\[[^\n]*\] mind the gap\nreading hosts: 40 of 100/);
$t->until(qr/^\[[^\n]*\] mind the gap\nRedirect\? \[y\/N\]$/)->type("\n");
is $t->end, 0, 'lines: progress and log';

# ------------------------------------------------------------------- boxes

sub boxes_yesno
{
    my ($boxes, $name) = @_;

    for (['' => 0, 'no'], ["\t" => 0, 'yes'], ['' => 1, 'yes'],
         ["\t" => 1, 'no']) {
        my ($keys, $otherwise, $answer) = @$_;
        my $box = sit($boxes, ($otherwise ? 'yesno-yes' : 'yesno')
                              => "Redirect\nall of --it?");
        $box->until(qr/Redirect.*\n.*all of --it\?/)->type($keys, "\r");
        is_left($box, '', "$name: yes or no");
        is answered(), "$answer\nend\n", "$name: $answer";
    }
    my $box = sit($boxes, yesno => '--defaultno');
    $box->until(qr/--defaultno/)->type("\e");
    is_left($box, '', "$name: escaped");
    is answered(), $cancelled, "$name: neither yes nor no";
    return;
}

sub boxes_menu
{
    my ($boxes, $name) = @_;
    my $box = sit($boxes, @items, menu => 'Which host?', menu => 'Another?');

    $box->until(qr/Which host/);
    like $box->screen, qr/1 +a\.test  \/var\/www\/a/, "$name: an item";
    like $box->screen, qr/3 +--help/, "$name: is no option";
    like $box->screen, qr/\\x1B\[2Jx/, "$name: nor a command";
    $box->type("\eOB", "\eOB", "\r");
    $box->until(qr/Another/)->type("\r");
    is_left($box, '', "$name: menu");
    is answered(), "3\n1\nend\n", "$name: menu answered";

    $box = sit($boxes, @items, menu => 'Which host?');
    $box->until(qr/Which host/)->type("\e");
    is_left($box, '', "$name: menu escaped");
    is answered(), $cancelled, "$name: menu cancelled";

    $box = sit($boxes, items => 500, menu => 'Which host?');
    $box->until(qr/Which host/)->type("\eOF", "\r");
    is_left($box, '', "$name: long menu");
    is answered(), "500\nend\n", "$name: its last";
    return;
}

sub boxes_checklist
{
    my ($boxes, $name) = @_;
    my $box = sit($boxes, @items, checklist => 'Which names?');

    $box->until(qr/Which names/);
    like $box->screen, qr/\[[*X]\] 2 +b\.test/, "$name: marked";
    $box->type(' ', "\eOB", ' ', "\eOB", ' ', "\r");
    is_left($box, '', "$name: checklist");
    is answered(), "on: 1 3\nend\n", "$name: checklist answered";

    $box = sit($boxes, @items, checklist => 'Which names?');
    $box->until(qr/Which names/)->type("\eOB", ' ', "\r");
    is $box->end, 0, "$name: nothing is marked";
    is answered(), "on:\nend\n", "$name: that is an answer";

    $box = sit($boxes, @items, checklist => 'Which names?',
               checklist => 'Again?');
    $box->until(qr/Which names/)->type(' ', "\e");
    $box->until(qr/Again/)->type("\r");
    is $box->end, 0, "$name: checklist escaped";
    is answered(), $cancelled =~ s/end/on: 2\nend/r,
        "$name: what was marked is as it was";
    return;
}

# Who ends the program from outside.
sub boxes_signals
{
    my ($boxes, $name) = @_;

    my $box = sit($boxes, yesno => 'Redirect?', yesno => 'Again?');
    $box->until(qr/Redirect/);
    my @children = $box->children;
    is @children, 1, "$name: one child draws";
    kill 'KILL', @children;
    $box->until(qr/Again/)->type("\t", "\r");
    is_left($box, '', "$name: killed");
    like answered(), qr/^status \d+, exit 1: \S+ was killed by signal 9; /,
        "$name: killed, and it says so";
    like answered(), qr/\nyes\nend\n$/, "$name: the next one is asked";

    for my $signal (qw(INT TERM HUP)) {
        $box = sit($boxes, yesno => 'Redirect?');
        $box->until(qr/Redirect/);
        kill $signal, $box->pid;
        is_left($box, '', "$name: SIG$signal");
        is answered(), $cancelled, "$name: SIG$signal cancels";
        is $box->children, 0, "$name: SIG$signal leaves no child";
    }
    return;
}

sub boxes_gauge
{
    my ($boxes, $name) = @_;
    my $go = $rig->path('go');

    unlink $go;
    my $box = sit($boxes, progress => 5, pause => 1050, progress => 20,
                  log => 'mind the gap', progress => 40, wait => $go,
                  yesno => 'Redirect?', progress => 60,
                  progress => 80, wait => "$go.more", told => 'told');
    $box->until(qr/40 of 100, 40 % \(1 s\)/);
    like $box->screen, qr/40%/, "$name: the bar";
    unlike $box->screen, qr/mind/, "$name: no warning breaks it";
    my @children = $box->children;
    $rig->write_file('go', '');
    $box->until(qr/Redirect/);
    isnt +($box->children)[0], $children[0], "$name: it ends before a question";
    $box->type("\r");
    $box->until(qr/80%/);
    like $box->bytes, qr/\[acme(?:ctl)?:warn\].* mind the gap/,
        "$name: the warning follows";
    $rig->write_file('go.more', '');
    is $box->end, 0, "$name: ended";
    is answered(), "no\ntold\nend\n", "$name: answered";
    is $box->children, 0, "$name: no child is left";
    unlink $go, "$go.more";
    return;
}

sub boxes_gauge_signals
{
    my ($boxes, $name) = @_;
    my $go = $rig->path('go');

    my $box = sit($boxes, pause => 1050, progress => 20, wait => $go,
                  progress => 30, progress => 50, result => 'all done');
    $box->until(qr/20%/);
    kill 'KILL', $box->children;
    $rig->write_file('go', '');
    $box->until(qr/all done/)->type("\r");
    is_left($box, '', "$name: a killed gauge");
    like $box->bytes, qr/50 of 100, 50 %/, "$name: progress as lines";
    unlink $go;

    $box = sit($boxes, { shell => 1 }, pause => 1050, progress => 20,
               progress => 40, wait => $go);
    $box->until(qr/40%/)->type("\cC");
    $box->until(qr/status 130/);
    ACME::Rig::wait_for(5, 'the terminal to be as it was',
                        sub { $box->mode eq $box->mode_before });
    pass "$name: Ctrl-C ends the run, and the box restores the terminal";
    $box->type("\n");
    is $box->end, 0, "$name: its shell goes on";
    return;
}

sub boxes_result
{
    my ($boxes, $name) = @_;

    my $box = sit($boxes, result => "-- done\n\xc3\xbc", error => 'it broke');
    $box->until(qr/acmectl secure/);
    like $box->screen, qr/-- done.*\n.*\xc3\xbc/, "$name: the result in a box";
    $box->type("\r");
    is_left($box, 'acmectl: it broke', "$name: an error stays");

    $box = sit($boxes, show => "-old\n+new\n", yesno => 'So be it?');
    $box->until(qr/What would change/);
    like $box->screen, qr/-old.*\n.*\+new/, "$name: a diff in a box";
    $box->type("\r");
    $box->until(qr/So be it/)->type("\e");
    is_left($box, '', "$name: shown");
    is answered(), $cancelled, "$name: and then asked";

    $box = sit($boxes, silent => result => 'all done', yesno => 'Redirect?');
    is $box->end, 0, "$name: --non-interactive waits for nobody";
    like answered(), qr/cannot be asked with --non-interactive; answer it by /,
        "$name: and says what answers";
    is $box->screen, 'all done', "$name: the result as text";
    return;
}

sub boxes
{
    my ($boxes, $name) = @_;

    boxes_yesno($boxes, $name);
    boxes_menu($boxes, $name);
    boxes_checklist($boxes, $name);
    boxes_signals($boxes, $name);
    boxes_gauge($boxes, $name);
    boxes_gauge_signals($boxes, $name);
    boxes_result($boxes, $name);
    return;
}

for my $name (qw(dialog whiptail bsddialog)) {
    SKIP: {
        skip "needs $name", 1 if !grep { -x "$_/$name" }
                                  qw(/usr/bin /bin /usr/local/bin);
        boxes("dialog:$name", $name);
    }
}

# -------------------------------------------------- programs that fail

sub fake
{
    my ($name, $body) = @_;
    my $path = $rig->write_file($name, "#!/bin/sh\n$body\n");

    chmod 0755, $rig->path($name);
    return 'dialog:' . $rig->path($name);
}

for my $case (
    ['exit 3', qr/failed with status 3/],
    ['exit 254', qr/failed with status 254/],
    ['echo "no such terminal" >&2; exit 1', qr/cannot draw: no such terminal/],
    ['echo "bad option" >&2; echo more >&2; exit 255',
     qr/cannot draw: bad option; /],
    ['printf 6 >&3', qr/an answer that is none/],
    ['printf 0 >&3', qr/an answer that is none/],
    ['printf -- -1 >&3', qr/an answer that is none/],
    ['printf "1 2" >&3', qr/an answer that is none/],
    ['printf "\"1\"" >&3', qr/an answer that is none/],
    ['exit 0', qr/an answer that is none/],
    ['exec yes 1 >&3', qr/cannot run .*dialog: Message too long/],
    ['exec yes oops >&2', qr/cannot run .*dialog: Message too long/],
    ['kill -SEGV $$', qr/was killed by signal 11/],
    ['exit 255', qr/^$cancelled$/],
    ['exit 1', qr/^$cancelled$/],
) {
    my ($body, $expected) = @$case;
    my $box = sit(fake('dialog', $body), @items, menu => 'Which host?');

    is $box->end(30), 0, "ended: $body";
    like answered(), $expected, "it is told: $body";
    ok $box->mode eq $box->mode_before, "the terminal's mode: $body";
}

$t = sit(fake('dialog', 'exit 0'), items => 100_000, menu => 'Which host?',
         yesno => 'Redirect?');
is $t->end, 0, 'too many choices';
like answered(), qr/^status \d+, exit 1: \S+ cannot offer so many choices; /,
    'it is told';
like answered(), qr/\nyes\nend\n$/, 'and other questions can be asked';

# bsddialog's dialect, whether or not it is here.
my $words = $rig->path('words');
$t = sit(fake('bsddialog', qq(printf '%s\\n' "\$@" >$words; env >>$words\n)
              . 'printf "2\n5\n" >&3'),
         { env => { SECRET => 'x', BSDDIALOG_THEMEFILE => 'x' } }, @items,
         checklist => 'Which names?');
is $t->end, 0, 'a program of another place';
is answered(), "on: 2 5\nend\n", 'is understood';
is join(' ', (split /\n/, $rig->read_file('words'))[0 .. 19]),
    '--cr-wrap --output-fd 3 --title acmectl --separate-output --checklist '
    . 'Which names? 0 0 0 1 a.test  /var/www/a off 2 b.test on 3  --help off',
    'its arguments';
unlike $rig->read_file('words'), qr/SECRET|THEMEFILE/, 'its environment';
like $rig->read_file('words'), qr/^TERM=xterm$/m, 'tells of the terminal';

# ----------------------------------------------------------- no boxes

for my $case (
    ['dialog:/nonexistent/dialog', {}, qr/needs .*nonexistent.*package dialog/],
    ['dialog:/bin/sh', {}, qr/needs .bin.sh; /],
    ['dialog:sh', {}, qr/needs sh; install the package/],
    ['dialog:./dialog', {}, qr/needs \.\/dialog/],
    ['dialog:', { env => { TERM => 'dumb' } }, qr/needs a terminal that TERM/],
    ['dialog:', { env => { TERM => undef } }, qr/needs a terminal that TERM/],
    ['dialog:', { begin => sub { open STDIN, '<', '/dev/null' } },
     qr/needs a terminal; use --display text/],
    ['dialog:', { begin => sub {
        open STDOUT, '>', '/dev/null'; open STDERR, '>', '/dev/null';
     } }, qr/needs a terminal; use --display text/],
) {
    my ($display, $opt, $expected) = @$case;
    my $box = sit($display, $opt, yesno => 'Redirect?');

    is $box->end, 0, "refused: $display";
    like answered(), qr/^status \d+, exit 2: --display dialog $expected/,
        'and it is told why';
}

# Standard error alone is a terminal: boxes are there, the result is not.
my $out = $rig->path('out');
$t = sit('dialog:', { begin => sub { open STDOUT, '>', $out } },
         yesno => 'Redirect?', result => 'all done');
$t->until(qr/Redirect/)->type("\t", "\r");
is_left($t, '', 'standard output is a file');
is answered(), "yes\nend\n", 'it asks all the same';
is $rig->read_file('out'), "all done\n", 'and the result is in the file';

# -------------------------------------------------------------- acmectl

sub acmectl
{
    my ($opt, @arguments) = @_;

    return ACME::Rig::Terminal->new($rig, [ACME::Rig::acmectl_path(),
        @arguments], %$opt, env => { TERM => 'xterm', LC_ALL => 'C.UTF-8' });
}

mkdir $rig->path('store'), 0700;
$t = acmectl({}, qw(--display dialog --store), $rig->path('store'),
             qw(checkpoints));
$t->until(qr/acmectl checkpoints/);
like $t->screen, qr/there is no checkpoint/, 'acmectl: the result in a box';
$t->type("\r");
is $t->end, 0, 'acmectl: and it is over';
is $t->screen, '', 'acmectl: nothing is left';

# An httpd that takes its time: the seconds are counted on a terminal, told
# once elsewhere, and not with --quiet.
my @slow = ('--httpd', $rig->path('slow'), 'config');
$rig->write_file('slow', "#!/bin/sh\nsleep 2.5\nexit 1\n");
chmod 0755, $rig->path('slow');
$t = acmectl({}, @slow);
$t->until(qr/^httpd: reading the configuration \(1 s\)$/);
$t->until(qr/^httpd: reading the configuration \(2 s\)$/);
is $t->end, 4, 'acmectl: a slow httpd';
like $t->screen, qr/^acmectl: /, 'acmectl: the step is gone';
$t = acmectl({}, '--display', 'dialog', @slow);
$t->until(qr/httpd: reading the configuration \(1 s\)/);
$t->until(qr/httpd: reading the configuration \(2 s\)/);
is $t->end, 4, 'acmectl: a slow httpd in a box';
like $t->screen, qr/^acmectl: /, 'acmectl: the box is gone';
like $rig->run([ACME::Rig::acmectl_path(), @slow])->{err},
    qr/^httpd: reading the configuration \(1 s\)\nacmectl: .*\n$/,
    'acmectl: a line in a log';
like $rig->run([ACME::Rig::acmectl_path(), '--quiet', @slow])->{err},
    qr/^acmectl: .*\n$/, 'acmectl: none with --quiet';

my $failed = $rig->run([ACME::Rig::acmectl_path(),
                        qw(--display dialog checkpoints)]);
is $failed->{status}, 2, 'acmectl: no terminal';
like $failed->{err}, qr/^acmectl: --display dialog needs a terminal; /,
    'acmectl: that is a usage error';

done_testing;
