// Go: goroutines on several threads with channels, timers, a garbage-collected
// heap and pipes (through the runtime's poller); the runtime's own signals.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

type node struct {
	left, right *node
	value       int
}

func build(depth, value int) *node {
	if depth == 0 {
		return nil
	}
	return &node{build(depth-1, 2*value), build(depth-1, 2*value+1), value}
}

func (n *node) sum() int {
	if n == nil {
		return 0
	}
	return n.value + n.left.sum() + n.right.sum()
}

func check(condition bool, what string) {
	if !condition {
		fmt.Println("does not hold:", what)
		os.Exit(1)
	}
}

func waitGo() {
	for i := 0; i < 4500; i++ {
		if _, err := os.Stat(os.Getenv("VICTIM_GO")); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	check(false, "told to go on")
}

func main() {
	runtime.GOMAXPROCS(4)
	tree := build(16, 1)
	want := tree.sum()
	words := map[string]int{}
	for i := 0; i < 5000; i++ {
		words[fmt.Sprint("key", i)] = i
	}
	reader, writer, err := os.Pipe()
	check(err == nil, "pipe")
	got := make(chan string)
	go func() {
		buffer := make([]byte, 16)
		n, _ := reader.Read(buffer)
		got <- string(buffer[:n])
	}()
	over := make(chan bool)
	var workers sync.WaitGroup
	for w := 0; w < 6; w++ {
		workers.Add(1)
		go func() { // makes garbage and checks it until told to end
			defer workers.Done()
			for {
				select {
				case <-over:
					return
				default:
					check(build(8, 1).sum() == 32640, "a worker's tree")
					time.Sleep(time.Millisecond)
				}
			}
		}()
	}
	start := time.Now()
	late := time.After(1500 * time.Millisecond)
	time.Sleep(50 * time.Millisecond)
	fmt.Println("ready")
	waitGo()
	<-late
	took := time.Since(start)
	check(took >= 1490*time.Millisecond, "the timer is not early")
	check(took < 3*time.Second || os.Getenv("VICTIM_CLOCK_JUMPS") != "", "the timer is not late")
	close(over)
	workers.Wait()
	writer.Write([]byte("over the pipe"))
	check(<-got == "over the pipe", "what came over the pipe")
	runtime.GC()
	check(tree.sum() == want, "the tree")
	for i := 0; i < 5000; i++ {
		check(words[fmt.Sprint("key", i)] == i, "the map")
	}
	fmt.Println("ok")
}
