#!/usr/bin/perl

# acmectl checkpoints, rollback, recover: what was changed can be seen and
# undone, while httpd's configuration is broken and while there is no httpd;
# a change that was interrupted is undone by whoever writes next.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use ACME::Rig;
use ACME::Scene;

my $scene = ACME::Scene->new(ca => 0);
my ($rig, $httpd) = ($scene->rig, $scene->httpd);
my $put = ACME::Rig::for_everybody(ACME::Rig::builddir()
                                   . '/t/lib/journal_put');
plan skip_all => "$put is not built" if !-x $put;

my $journal = $scene->store . '/journal';
my ($site, $more) = map { $httpd->root . "/conf/$_.conf" } qw(site more);
my $saved = 0;

sub page { return $httpd->get('localhost', $_[0])->{status} }

# A site's file whose redirects tell which version httpd has loaded.
sub text_of { return join '', "# the site\n", map { "Redirect /$_ /\n" } @_ }

# Change files as an editing verb does. Each of @files: [op, path, content].
sub change
{
    my ($title, $files, @words) = @_;
    my @args;

    for my $file (@$files) {
        my ($op, $path, $data) = @$file;
        $data = $rig->write_file('content-' . $saved++, $data)
            if $op ne 'symlink' && defined $data;
        push @args, $op, $path, defined $data ? $data : ();
    }
    my $r = $rig->run([$put, $journal, @args, @words,
                       defined $title ? ('commit', $title) : ()]);
    diag $r->{err} if $r->{err} ne '';
    return $r;
}

# A change that httpd has loaded, as a checkpoint. Returns its number.
sub checkpoint
{
    my ($title, $files, @notes) = @_;
    my $r = change($title, $files, (map { (note => $_) } @notes), 'save',
                   'reloading');

    is $r->{status}, 0, "a checkpoint: $title";
    $httpd->graceful if $httpd->is_running;
    return $r->{out} + 0;
}

# A run that is killed after its change is live.
sub killed
{
    my ($files, @words) = @_;
    my $r = change(undef, $files, 'save', @words, 'die');

    is $r->{status}, 128 + 9, 'a run is killed after its change is live';
    return;
}

sub ids { return map { $_->{id} } @{$scene->ctl('--json', 'checkpoints')
                                    ->{json}{checkpoints}} }
sub content { return $rig->read_file($_[0]) }
sub detail { return $_[0]{json}{error} ? $_[0]{json}{error}{detail} : '' }
sub notes { return join "\n", @{$_[0]{json}{notes} // []} }
sub paths { return [map { $_->{path} } @{$_[0] // []}] }

$rig->write_file($site, text_of('v0'), 0644);
$scene->config(domains => [['a.test']], ca => ['https://localhost:1/dir'],
               text => "Include conf/site.conf\n"
                   . "IncludeOptional conf/more.conf\n")->start;

# Before the first change there is nothing to list, to undo or to recover,
# and looking makes nothing.
{
    my $r = $scene->ends(['checkpoints'], 0, 'checkpoints');
    is_deeply $r->{json}{checkpoints}, [], 'none';
    is $scene->ctl('checkpoints')->{out}, "there is no checkpoint\n",
        'in words';
    $scene->refuses(['rollback'], 1, qr/no checkpoint to undo/, 'rollback');
    $scene->refuses(['checkpoints', '1'], 1, qr/no checkpoint 1/, 'show 1');
    $r = $scene->ends(['recover'], 0, 'recover');
    is_deeply $r->{json}{recovered},
        { count => 0, files => [], conflicts => [] }, 'nothing';
    ok !$r->{json}{changed}, 'nothing changed';
    is $scene->ctl('recover')->{out}, "nothing is to be recovered\n",
        'in words';
    ok !-e $scene->store, 'no store was made';
    # What keeps the last good configuration, as any first run does.
    $scene->ends(['renew'], 75, 'renew reaches no CA');
    ok -d $scene->store, 'now there is a store';
    ok !-e $journal, 'verbs that edit nothing make no journal';
    $scene->ends(['checkpoints'], 0, 'still no checkpoint');
}

# Usage errors are told before anything is looked at.
$scene->refuses(@$_, "acmectl @{$_->[0]}") for
    [['rollback', '0'], 2, qr/how many checkpoints/],
    [['rollback', '-1'], 2, qr/./],
    [['rollback', 'x'], 2, qr/how many checkpoints/],
    [['rollback', '1', '2'], 2, qr/how many checkpoints/],
    [['rollback', '--to', 'x'], 2, qr/how many checkpoints/],
    [['rollback', '1', '--to', '1'], 2, qr/how many checkpoints/],
    [['rollback', '--to', '99999999999999999999'], 2, qr/how many/],
    [['rollback', '--merge', '--force'], 2, qr/one of --merge and --force/],
    [['checkpoints', 'x'], 2, qr/the number of one/],
    [['checkpoints', '1', '2'], 2, qr/the number of one/],
    [['recover', '--merge', '--keep'], 2, qr/one of --merge/],
    [['recover', 'now'], 2, qr/takes no argument/];

# Checkpoints are listed newest first; one is shown with title, notes,
# files and the unified diff of what it changed.
my $first = checkpoint('first', [['modify', $site, text_of('v1')]],
                       'because of this', 'and of that');
my $second = checkpoint('second', [
    ['modify', $site, text_of('v2')], ['create', $more, "# more\n"],
    ['mkdir', $httpd->root . '/conf/dir'],
    ['symlink', $httpd->root . '/conf/link', 'more.conf']]);
{
    my $r = $scene->ends(['checkpoints'], 0, 'checkpoints');
    my $list = $r->{json}{checkpoints};

    is_deeply [map { $_->{id} } @$list], [$second, $first], 'newest first';
    is_deeply $list->[1]{notes}, ['because of this', 'and of that'], 'notes';
    is $list->[1]{title}, 'first', 'title';
    like $list->[1]{created}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}Z$/, 'time';
    my %op = map { $_->{path} => $_->{op} } @{$list->[0]{files}};
    is_deeply \%op, { $site => 'modify', $more => 'create',
        $httpd->root . '/conf/dir' => 'mkdir',
        $httpd->root . '/conf/link' => 'symlink' }, 'files';
    ok !exists $r->{json}{diff}, 'no diff in a list';

    my $text = $scene->ctl('checkpoints')->{out};
    like $text, qr/\AID +CREATED +FILES +TITLE\n$second +\S+Z +4 +second\n/,
        'a table';
    like $text, qr/^$first +\S+Z +1 +first\n\z/m, 'to its end';
    $r = $scene->ends(['checkpoints', $first], 0, 'show one');
    is $r->{json}{checkpoints}[0]{id}, $first, 'this one';
    like $r->{json}{diff}, qr/^--- .*site\.conf.*\n\+\+\+ .*site\.conf.*\n
        @@\ .*\n\ \#\ the\ site\n-Redirect\ \/v0\ \/\n
        \+Redirect\ \/v1\ \/\n/mx, 'its diff';
    $text = $scene->ctl('checkpoints', $first)->{out};
    like $text, qr/\Acheckpoint\ $first,\ \S+Z:\ first\n
        \ \ because\ of\ this\n\ \ and\ of\ that\n
        \ \ modify\ \ \ \ \Q$site\E\n---\ /x, 'in words';
    like $text, qr/^\+Redirect \/v1 \/$/m, 'and the diff';
    unlike $text, qr/\033/, 'no color where there is no terminal';
    like $scene->ctl('--color', 'always', 'checkpoints', $first)->{out},
        qr/\033\[32m\+Redirect/, 'color on demand';
    $scene->refuses(['checkpoints', '77'], 1, qr/no checkpoint 77/,
                    'show one that is not there');
}

# status tells of the journal.
{
    my $r = $scene->ends(['status'], 0, 'status');
    is_deeply $r->{json}{journal}, { checkpoints => 2, kind => undef,
        active => JSON::PP::false, interrupted => JSON::PP::false,
        holder => undef }, 'the journal';
    like $scene->ctl('status')->{out},
        qr/^the journal holds 2 checkpoints$/m, 'in words';
}

# A plan is the diff of what would change, and touches nothing.
{
    my $before = content($site);
    my $r = $scene->ends(['rollback', '2', '--plan'], 0, 'a plan');

    like $r->{json}{diff}, qr/^-Redirect \/v2 \/\n\+Redirect \/v0 \/$/m,
        'both checkpoints in one diff';
    is_deeply $r->{json}{notes}, ["checkpoint $second would be undone: second",
        "checkpoint $first would be undone: first"], 'which they are';
    is_deeply $r->{json}{undone}, [], 'none was undone';
    is $r->{json}{checkpoint}, $second, 'the newest is still there';
    ok !$r->{json}{changed}, 'nothing changed';
    is content($site), $before, 'the file is as it was';
    ok -e $more, 'so is the new one';
    is_deeply [ids()], [$second, $first], 'and the checkpoints';
    like $scene->ctl('rollback', '--plan')->{out},
        qr/^\+Redirect \/v1 \/$/m, 'in words';
}

# The newest checkpoint goes, files and all, and httpd serves what was
# before, by one graceful restart.
{
    is page('/v2'), 302, 'httpd has loaded the second';
    my $restarts = $httpd->restarts;
    my $r = $scene->ends(['rollback'], 0, 'rollback');

    is_deeply $r->{json}{undone}, [$second], 'the newest';
    is $r->{json}{checkpoint}, $first, 'the first is the newest now';
    ok $r->{json}{changed}, 'something changed';
    is_deeply [sort @{paths($r->{json}{files})}], [sort $site, $more,
        map { $httpd->root . "/conf/$_" } qw(dir link)], 'the files';
    is content($site), text_of('v1'), 'the file as before';
    ok !-e $more && !-e $httpd->root . '/conf/dir'
        && !-l $httpd->root . '/conf/link', 'new things are gone';
    is page('/v1'), 302, 'httpd has loaded it';
    is page('/v2'), 404, 'and forgotten the other';
    is $httpd->restarts, $restarts + 1, 'by one restart';
    like notes($r), qr/restarted gracefully/, 'which is told';
    $scene->refuses(['rollback', '2'], 1, qr/there is 1/, 'two are too many');
    $scene->refuses(['rollback', '--to', '77'], 1, qr/77/, 'one that is not');
}

# --to undoes a checkpoint and all that are newer.
{
    my @ids = map { checkpoint("number $_", [
        ['modify', $site, text_of("w$_")]]) } 1 .. 3;
    my $r = $scene->ends(['rollback', '--to', $ids[1]], 0, 'rollback --to');

    is_deeply $r->{json}{undone}, [@ids[2, 1]], 'two, the newest first';
    is content($site), text_of('w1'), 'the file';
    is page('/w1'), 302, 'is loaded';
    $r = $scene->ctl('rollback', '2');
    is $r->{status}, 0, 'rollback 2';
    like $r->{out}, qr/\Acheckpoint\ $ids[0]\ was\ undone\n
        checkpoint\ $first\ was\ undone\n\ \ restored\ \ \Q$site\E\n
        httpd\ was\ restarted\ gracefully\n\z/x, 'in words';
    is content($site), text_of('v0'), 'all is as it was';
    is page('/v0'), 302, 'and loaded';
    is_deeply [ids()], [], 'no checkpoint is left';
}

# What the user has edited since is not overwritten: nothing is undone, and
# the edit is shown. --merge keeps it, --force sets it aside.
{
    my @same = map { "same$_" } 1 .. 5;

    $rig->write_file($site, text_of('v0', @same));
    my $id = checkpoint('before an edit', [
        ['modify', $site, text_of('v1', @same)]]);
    my $edited = content($site) . "Redirect /mine /\n";

    $rig->write_file($site, $edited);
    my $r = $scene->refuses(['rollback'], 5, qr/nothing was undone.*--merge/,
                            'an edit is in the way');
    is_deeply paths($r->{json}{conflicts}), [$site], 'the file';
    like $r->{json}{conflicts}[0]{diff}, qr/^\+Redirect \/mine \/$/m,
        'and what was edited';
    is_deeply $r->{json}{undone}, [], 'nothing was undone';
    is content($site), $edited, 'the file is the user\'s';
    is_deeply [ids()], [$id], 'the checkpoint is there';
    like $scene->ctl('rollback')->{out},
        qr/\Achanged since: \Q$site\E\n---.*^\+Redirect \/mine/ms,
        'in words';

    # The merged configuration is tested where only the test sees it.
    SKIP: {
        if ($rig->run(['unshare', '-m', 'true'])->{status}) {
            $scene->ends(['rollback', '--force'], 0, 'no merge, then');
            skip 'needs a mount namespace', 3;
        }
        $r = $scene->ends(['rollback', '--merge'], 0, 'merge');
        is content($site), text_of('v0', @same, 'mine'), 'both';
        is page('/mine'), 302, 'loaded';
    }
    $rig->write_file($site, text_of('v0'));
    $id = checkpoint('once more', [['modify', $site, text_of('v1')]]);
    $rig->write_file($site, "# mine\n");
    $r = $scene->ends(['rollback', '--force'], 0, 'force');
    is content($site), text_of('v0'), 'the file as before';
    my $aside = $r->{json}{files}[0]{aside} // '';
    like $aside, qr{^\Q$journal\E/conflicts/}, 'the edit is set aside';
    is content($aside), "# mine\n", 'complete';
    is_deeply [ids()], [], 'the checkpoint was undone';
}

# An interrupted change is undone by the next verb that writes, and by
# recover; who reads only tells of it.
{
    for my $case (['recover'], ['renew'], ['account', 'register']) {
        killed([['modify', $site, "no directive\n"]], 'reloading');
        my $r = $scene->ctl('--json', 'checkpoints');
        is $r->{status}, 0, 'checkpoints reads';
        is content($site), "no directive\n", 'and changes nothing';
        $r = $scene->ctl('--json', 'status');
        is $r->{status}, 4, 'status: httpd refuses';
        ok $r->{json}{journal}{interrupted}, 'and something is interrupted';
        like $scene->ctl('status')->{out},
            qr/^an interrupted change .* acmectl recover$/m, 'in words';

        $r = $scene->ctl('--json', @$case);
        is $r->{json}{recovered}{count}, 1, "@$case recovers";
        is_deeply paths($r->{json}{recovered}{files}), [$site], 'the file';
        is content($site), text_of('v0'), 'as before';
        is $r->{status}, $case->[0] eq 'recover' ? 0 : 75,
            'its own exit status' or diag $r->{err}, $r->{out};
        is page('/v0'), 302, 'httpd serves';
    }
    # A rollback cannot know whether it was meant: it stops. With --to it
    # can.
    my $id = checkpoint('keep', [['modify', $site, text_of('k')]]);
    killed([['modify', $site, "no directive\n"]]);
    my $r = $scene->ends(['rollback'], 1, 'rollback after a crash');
    like detail($r), qr/interrupted change was undone first, and no/, 'why';
    is content($site), text_of('k'), 'only the interrupted one is undone';
    killed([['modify', $site, "no directive\n"]]);
    $scene->refuses(['rollback', '--plan'], 5, qr/acmectl recover/,
                    'a plan recovers nothing');
    $r = $scene->ends(['rollback', '--to', $id], 0, '--to after a crash');
    is content($site), text_of('v0'), 'both are undone';
    is page('/k'), 404, 'httpd has forgotten it';
}

# A rollback that is killed anywhere has undone a whole number of checkpoints
# once it was recovered, and httpd serves what the files say.
SKIP: {
    my $strace = ACME::Rig::program('strace');
    skip 'needs strace', 1 if !$strace
        || $rig->run([$strace, '-qq', '-o', '/dev/null', 'true'])->{status};
    my @points = ((map { ['rename', $_] } 1 .. 5),
                  (map { ['renameat2', $_] } 1, 3), ['fsync', 2],
                  (map { ['kill', $_] } 2, 3), ['unlink', 1]);
    my @text = map { text_of("k$_") } 0 .. 2;
    my ($killed, @faults) = 0;

    for my $point (@points) {
        my ($call, $n) = @$point;
        my $what = "kill at $call $n";
        $rig->write_file($site, $text[0]);
        change("k$_", [['modify', $site, $text[$_]]], 'save', 'reloading')
            for 1, 2;
        $httpd->graceful;
        my $r = $rig->run([$strace, '-qq', '-o', '/dev/null', '-e',
            "trace=$call", '-e', "inject=$call:signal=KILL:when=$n",
            ACME::Rig::acmectl_path(), '--httpd', $httpd->binary, '-d',
            $httpd->root, '-f', $httpd->config, '--store', $scene->store,
            'rollback', '2']);
        $killed++ if $r->{status} == 128 + 9;
        my $s = $scene->ctl('recover')->{status};
        push @faults, "$what: recover: exit status $s" if $s;
        my @left = ids();
        push @faults, "$what: another content than of " . @left
            if content($site) ne $text[@left];
        push @faults, "$what: httpd has not loaded it"
            if page('/k' . @left) != 302;
        push @faults, "$what: left over" if -e $scene->store . '/reload';
        push @faults, "$what: no further" if @left
            && $scene->ctl('rollback', scalar @left)->{status};
    }
    is_deeply \@faults, [], scalar(@points) . ' points';
    cmp_ok $killed, '>', @points / 2, "it was killed at $killed";
    $rig->write_file($site, text_of('v0'));
    $httpd->graceful;
}

# httpd is restarted only if it has loaded what is undone.
{
    my $restarts = $httpd->restarts;
    # Changes are dated in whole seconds.
    ACME::Rig::wait_for(5, 'another second', sub {
        time > (stat $httpd->root . '/run/httpd.pid')[9] + 1 });
    killed([['modify', $site, text_of('n')]]);
    my $r = $scene->ends(['recover'], 0, 'a change that httpd never saw');
    is $httpd->restarts, $restarts, 'no restart';
    killed([['modify', $site, text_of('n')]]);
    $httpd->graceful;
    is page('/n'), 302, 'httpd saw it by accident';
    $scene->ends(['recover'], 0, 'recover');
    is page('/n'), 404, 'it does not see it any more';
}

# Edits made meanwhile keep a change from being recovered: exit 5, and a
# verb that edits no configuration goes on with a note.
{
    killed([['modify', $site, text_of('n')]]);
    $rig->write_file($site, "# mine\n");
    my $r = $scene->ends(['recover'], 5, 'recover: an edit is in the way');
    is_deeply paths($r->{json}{recovered}{conflicts}), [$site], 'the file';
    like detail($r), qr/keep the edits/, 'what to do';
    $r = $scene->ends(['renew'], 75, 'renew goes on');
    like notes($r), qr/\Q$site\E/, 'and tells';
    is content($site), "# mine\n", 'the edit is there';
    $r = $scene->ends(['recover', '--keep'], 0, 'recover --keep');
    is content($site), "# mine\n", 'still';
    $rig->write_file($site, text_of('v0'));
    $httpd->graceful;
}

# All of it works while the configuration is broken: the store is found in
# its text. httpd goes on with what it has loaded while it is refused.
{
    my $id = checkpoint('good', [['modify', $site, text_of('g')]]);
    is change('bad', [['modify', $site, "no directive\n"]], 'save')->{status},
        0, 'a bad one';
    my $r = $scene->ends(['checkpoints'], 0, 'checkpoints');
    is scalar(@{$r->{json}{checkpoints}}), 2, 'two';
    like notes($r), qr/store is .* by the text of .*:\d+, .*httpd refuses/,
        'how the store was found';
    $r = $scene->ends(['rollback'], 0, 'rollback mends it');
    is content($site), text_of('g'), 'the file';
    is page('/g'), 302, 'httpd serves';
    is $httpd->configtest->{status}, 0, 'and accepts';

    # Broken by something else: the files are put back all the same.
    my $conf = content($httpd->config);
    $rig->write_file($httpd->config, "$conf\nNoSuchDirective\n");
    $r = $scene->ends(['rollback'], 4, 'rollback, and httpd still refuses');
    like detail($r), qr/files are as before, but httpd runs on.*NoSuchDir/,
        'why';
    is_deeply $r->{json}{undone}, [$id], 'it was undone';
    ok $r->{json}{changed}, 'which is a change';
    is content($site), text_of('v0'), 'the file';
    $rig->write_file($httpd->config, $conf);
    $httpd->graceful;

    # Where the text does not name the store, it has to be given.
    (my $hidden = $conf) =~ s/^ACMEStoreDir.*$/NoSuchDirective/m;
    $rig->write_file($httpd->config, $hidden);
    SKIP: {
        skip 'there is a built-in store here', 2 if -e '/usr/local/var/lib/acme';
        $scene->refuses(['checkpoints'], 4, qr/cannot be known.*--store DIR/,
                        'the store cannot be known');
    }
    $scene->ends(['--store', $scene->store, 'checkpoints'], 0, '--store');
    $scene->refuses(['--store', $rig->path('none'), 'checkpoints'], 1,
                    qr/no store at/, 'a store that is not there');
    $rig->write_file($httpd->config, $conf);
}

# ... while httpd does not run: it is not started; and while there is none.
{
    checkpoint('stopped', [['modify', $site, text_of('s')]]);
    $httpd->stop;
    my $r = $scene->ends(['rollback'], 0, 'rollback of a stopped httpd');
    like notes($r), qr/does not run, and was not started/, 'told';
    ok !$httpd->is_running, 'it was not started';
    is content($site), text_of('v0'), 'the file';

    checkpoint('none', [['modify', $site, text_of('s')]]);
    my @none = ('--httpd', $rig->path('no-httpd'), '-f', $httpd->config);
    $r = $rig->acmectl(['--json', @none, 'checkpoints']);
    is $r->{status}, 0, 'checkpoints without httpd';
    is scalar(@{$r->{json}{checkpoints}}), 1, 'one';
    $r = $rig->acmectl(['--json', @none, 'rollback']);
    is $r->{status}, 0, 'rollback without httpd' or diag $r->{out};
    is content($site), text_of('v0'), 'the file';
    $scene->json_ok({ %$r, what => 'rollback without httpd' });
    $scene->start;
}

# Two writers: the second one is told who the first is, or waits. What is
# being changed is nobody's to recover.
{
    checkpoint('held', [['modify', $site, text_of('h')]]);
    my $flag = $rig->path('held');
    my $new = $rig->write_file('held-content', text_of('i'));
    my $pid = $rig->spawn([$put, $journal, 'modify', $site, $new, 'save',
                           'hold', $flag]);
    ACME::Rig::wait_for(20, 'the holder', sub { -e $flag });

    $scene->refuses([$_], 75, qr/journal_put, pid $pid/, "$_: busy")
        for qw(rollback recover);
    my $begin = time;
    $scene->refuses(['--wait', '1', 'rollback'], 75, qr/pid $pid/, '--wait');
    cmp_ok time - $begin, '>=', 1, 'waits';
    $scene->ends(['renew'], 75, 'renew is not kept');
    is content($site), text_of('i'), 'and disturbs nobody';
    like $scene->ctl('status')->{out}, qr/held by journal_put, pid $pid/,
        'status tells who';
    $rig->kill_pid($pid, 'KILL');
    $scene->ends(['--wait', '5', 'recover'], 0, 'afterwards it is free');
    is content($site), text_of('h'), 'and recovered';

    # Who waits goes on as soon as the other one has ended.
    $new = $rig->write_file('held-content', text_of('i'));
    unlink $flag;
    $pid = $rig->spawn([$put, $journal, 'modify', $site, $new, 'save',
                        'hold', $flag]);
    ACME::Rig::wait_for(20, 'the holder', sub { -e $flag });
    my $log = $rig->path('waiting.log');
    my $waits = $rig->spawn([ACME::Rig::acmectl_path(), '--httpd',
        $httpd->binary, '-f', $httpd->config, '--store', $scene->store,
        '--wait', '60', 'recover'], log => $log);
    # It sleeps between two tries, with the lock's file open.
    ACME::Rig::wait_for(20, 'it to wait', sub {
        grep { (readlink $_ // '') eq "$journal/lock" }
            glob "/proc/$waits/fd/*" });
    $rig->kill_pid($pid, 'KILL');
    ACME::Rig::wait_for(30, 'it to end', sub { !$rig->alive($waits) });
    is content($site), text_of('h'), 'the one that waited has recovered';
    like content($log), qr/interrupted change was undone/, 'and tells';
}

# No httpd inherits a lock: neither one that is asked for its configuration
# while the journal is held, nor the one that is restarted then.
{
    my $seen = $rig->path('descriptors');
    my $spy = $rig->write_file('spy', "#!/bin/sh\n"
        . "ls -l /proc/\$\$/fd >>'$seen'\nexec '" . $httpd->binary
        . "' \"\$\@\"\n", 0755);
    my $r = $rig->acmectl(['--json', '--httpd', $spy, '-d', $httpd->root,
                           '-f', $httpd->config, 'rollback'],
                          env => $httpd->env);
    is $r->{status}, 0, 'rollback with a program that looks' or diag $r->{err};
    like notes($r), qr/restarted/, 'httpd was restarted';
    my $lists = content($seen) // '';
    cmp_ok scalar(() = $lists =~ /^total/mg), '>=', 2, 'it was run twice';
    my @links = map { readlink $_ // '' } map { glob "/proc/$_/fd/*" }
        $httpd->pid, $httpd->children;
    ok @links > 0, "the descriptors of httpd's processes were seen";
    is_deeply [grep { index($_, $scene->store) >= 0 && m{/(?:journal|lock)} }
               @links, split /\n/, $lists], [], 'no lock of the store';
}

# Titles, notes, names and contents may hold any bytes: they break neither
# a line nor a terminal nor JSON, and a pipe gets a diff as it is.
{
    my $odd = $httpd->root . "/conf/odd \033[2J\nname";
    my $id = checkpoint("title \033[31m\xfe \xc3\xa9", [
        ['create', $odd, "\033[2J\xff\xc3\xa9\ttab\r\n"]],
        "note \007\xff");
    my $r = $scene->ends(['checkpoints'], 0, 'checkpoints');
    my $c = $r->{json}{checkpoints}[0];
    like $c->{title}, qr/^title .*\\xFE/, 'title';
    is $c->{files}[0]{path}, $odd, 'name';
    $r = $scene->ends(['checkpoints', $id], 0, 'show');
    like $r->{json}{diff}, qr/\\xFF\x{e9}\ttab/, 'diff';
    like $r->{json}{checkpoints}[0]{notes}[0], qr/\\xFF$/, 'note';
    my $text = $scene->ctl('checkpoints', $id)->{out};
    ok index($text, "+\033[2J\xff\xc3\xa9\ttab\r\n") >= 0,
        'a pipe gets the bytes';
    my ($head) = $text =~ /\A(.*?)^--- /ms;
    unlike $head, qr/[\033\007\xfe\xff]/, 'all else is printable';
    is scalar(split /\n/, $head), 3, 'line by line';
    unlike $scene->ctl('checkpoints')->{out}, qr/[\033\xfe]/, 'so is a list';
    # On a terminal a diff is printable, too.
    my $ctl = ACME::Rig::acmectl_path();
    my $shown = $rig->run(['script', '-qec', "$ctl --store "
        . $scene->store . " checkpoints $id", '/dev/null'],
        env => { NO_COLOR => '1' });
    SKIP: {
        skip 'needs script(1)', 2 if $shown->{status} == 127;
        like $shown->{out}, qr/\+\\x1B\[2J\\xFF/, 'escaped on a terminal';
        unlike $shown->{out}, qr/\033/, 'no escape sequence at all';
    }
    $scene->ends(['rollback'], 0, 'rollback');
    ok !-e $odd, 'undone';
}

# A damaged checkpoint is told, and undoing it is refused.
{
    my $id = checkpoint('damaged', [['modify', $site, text_of('d')]]);
    my ($record) = glob sprintf '%s/cp/%08d/rec.1', $journal, $id;
    my $good = content($record);
    $rig->write_file($record, "{}\n");
    my $r = $scene->ends(['checkpoints'], 0, 'checkpoints');
    ok $r->{json}{checkpoints}[0]{damaged}, 'it is told';
    like $scene->ctl('checkpoints')->{out}, qr/^checkpoint $id: .*rec\.1/m,
        'in words';
    $scene->refuses([@$_], 5, qr/rec\.1/, "@$_") for ['checkpoints', $id],
        ['rollback'];
    is content($site), text_of('d'), 'nothing was undone';
    $rig->write_file($record, $good);
    $scene->ends(['rollback'], 0, 'mended');
}

# Others than root are told so in a sentence.
{
    my $store = $scene->store;

    for my $verb (qw(checkpoints rollback recover)) {
        my $r = $rig->run([ACME::Rig::acmectl_path(), '--json', '--store',
                           $store, $verb], user => 'nobody');
        is $r->{status}, 1, "nobody: $verb";
        like $r->{out}, qr/\Q$store\E.*root/, 'the sentence';
    }
}

# --exit-changed
{
    checkpoint('last', [['modify', $site, text_of('l')]]);
    $scene->ends(['--exit-changed', 'rollback'], 10, 'something changed');
    $scene->ends(['--exit-changed', 'recover'], 0, 'nothing changed');
}

# The manager does it, too: at its start, and before it looks what is due.
{
    killed([['modify', $site, text_of('n')]]);
    $httpd->stop;
    $httpd->set_manager(1);
    $httpd->write_config($httpd->{text});
    $scene->start;
    ACME::Rig::wait_for(60, 'the manager to recover', sub {
        content($site) eq text_of('v0') && page('/n') == 404 });
    like $httpd->error_log, qr/an interrupted change was undone: 1 file put/,
        'the log tells';
    $httpd->stop;
}

is_deeply [grep { -e } "$journal/active", $scene->store . '/reload', glob "$journal/trash/*"], [],
    'nothing is left over';
is $httpd->faults, '', 'no child of httpd crashed';
done_testing;
