// Go, static: goroutines on several threads, channels, a ticker (epoll,
// eventfd, timers), the garbage collector, signals for preemption.
package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"sync"
	"time"
)

func worker(in <-chan int, out chan<- [32]byte, wait *sync.WaitGroup) {
	defer wait.Done()
	for seed := range in {
		block := make([]byte, 1<<20)
		for i := range block {
			block[i] = byte(seed * i >> 3)
		}
		sum := sha256.Sum256(block)
		for i := 0; i < 8; i++ {
			copy(block, sum[:])
			sum = sha256.Sum256(block)
		}
		out <- sum
	}
}

func main() {
	ticker := time.NewTicker(20 * time.Millisecond)
	var total [32]byte
	for round := 0; round < 40; round++ {
		in, out := make(chan int), make(chan [32]byte, 16)
		var wait sync.WaitGroup
		for i := 0; i < 4; i++ {
			wait.Add(1)
			go worker(in, out, &wait)
		}
		go func() {
			for i := 0; i < 8; i++ {
				in <- round*8 + i
			}
			close(in)
			wait.Wait()
			close(out)
		}()
		for sum := range out { // in any order
			for i := range total {
				total[i] += sum[i]
			}
		}
		<-ticker.C
		fmt.Printf("%d %x\n", round, total)
	}
	if err := os.WriteFile("result.bin", total[:], 0o644); err != nil {
		os.Exit(9)
	}
}
