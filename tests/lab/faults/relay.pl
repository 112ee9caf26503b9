# Inside a virtual machine: the relay socket of a sensor on standard input and output, a line a packet. What this host has of the machine
# is a connection of bytes, and a relay socket wants packets; Perl is in every Debian.
use strict;
use warnings;
use Socket;

my ($path) = @ARGV;
socket(my $relay, PF_UNIX, SOCK_SEQPACKET, 0) or die "socket: $!\n";
connect($relay, sockaddr_un($path)) or die "$path: $!\n";

my $reader = $$;
my $writer = fork // die "fork: $!\n";
if ($writer == 0) {
    while (my $packet = <STDIN>) {
        chomp $packet;
        defined send($relay, $packet, 0) or last;
    }
    kill 'TERM', $reader;
    exit;
}
my $packet;
while (defined recv($relay, $packet, 65536, 0) and length $packet) {
    defined syswrite(STDOUT, "$packet\n") or last;
}
kill 'TERM', $writer;
