# A reference of 2 million bases and reads of it, with errors, for bwa.
import random

random.seed(3)
genome = "".join(random.choice("ACGT") for _ in range(2000000))
with open("reference.fa", "w") as out:
    out.write(">chr1\n")
    for i in range(0, len(genome), 70):
        out.write(genome[i:i + 70] + "\n")
flip = str.maketrans("ACGT", "TGCA")
with open("reads.fq", "w") as out:
    for i in range(100000):
        at = random.randrange(len(genome) - 150)
        read = list(genome[at:at + 150])
        for _ in range(random.randrange(5)):
            read[random.randrange(150)] = random.choice("ACGT")
        text = "".join(read)
        if random.random() < 0.5:
            text = text[::-1].translate(flip)
        out.write("@r%d\n%s\n+\n%s\n" % (i, text, "I" * 150))
