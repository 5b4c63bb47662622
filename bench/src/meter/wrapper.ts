/**
 * A process between the harness and what it measures: it starts the command, waits, and reports wall time (monotonic),
 * CPU time and the largest resident set of everything below it that was waited for, as getrusage(2) has them, in
 * microseconds and KiB. Node cannot ask this for its children, and reads processes' own files in hundredths of a second.
 * Perl is part of every Debian (perl-base) and small, so that what it starts does not inherit a large resident set.
 */
const SCRIPT = `
open(my $report, '>&=', 3) or die "no report: $!";
sub now { my $t = "\\0" x 16; syscall(228, 1, $t) == 0 or die "clock_gettime: $!"; my ($s, $n) = unpack('qq', $t); $s * 1e6 + $n / 1e3 }
my $began = now();
my $pid = fork();
defined $pid or die "fork: $!";
if (!$pid) { close $report; exec { $ARGV[0] } @ARGV; print STDERR "$ARGV[0]: $!\\n"; kill 9, $$; }
waitpid($pid, 0);
my ($wall, $status) = (now() - $began, $?);
my $usage = "\\0" x 144;
syscall(98, -1, $usage) == 0 or die "getrusage: $!";
my ($us, $uu, $ss, $su, $rss) = unpack('qqqqq', $usage);
printf $report "%d %.0f %.0f %d\\n", $status, $wall, $us * 1e6 + $uu + $ss * 1e6 + $su, $rss;
`

/** The command that runs `argv` and writes its report to file descriptor 3. */
export function wrapped(argv: readonly string[]): readonly string[] {
  return ['/usr/bin/perl', '-e', SCRIPT, ...argv]
}

export interface UsageReport {
  readonly exitCode: number
  readonly signal: number
  readonly wallMs: number
  readonly cpuMs: number
  /** Of the largest single process. */
  readonly maxResidentBytes: number
}

/** Reads the line that the wrapper wrote. @throws Error when it is none. */
export function parseUsageReport(text: string): UsageReport {
  const [status, wall, cpu, resident] = text.trim().split(' ').map(Number)
  if (
    status === undefined ||
    wall === undefined ||
    cpu === undefined ||
    resident === undefined ||
    !Number.isFinite(status + wall + cpu + resident)
  )
    throw new Error(`the measuring process ended without a report: ${text}`)
  return { exitCode: status >> 8, signal: status & 127, wallMs: wall / 1000, cpuMs: cpu / 1000, maxResidentBytes: resident * 1024 }
}
