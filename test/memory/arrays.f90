! Allocates array after array; stat must stay 0.
program arrays
  implicit none
  type block
    real(8), allocatable :: a(:)
  end type
  type(block) :: all(50)
  integer :: i, stat
  real(8) :: total
  total = 0
  do i = 1, 50
    allocate(all(i)%a(524288), stat=stat)
    if (stat /= 0) then
      print *, 'allocation failed'
      stop 1
    end if
    all(i)%a = i * 0.25d0
    call sleep_a_little()
  end do
  do i = 1, 50
    total = total + all(i)%a(i * 1000)
  end do
  print '(f12.2)', total
contains
  subroutine sleep_a_little()
    integer(8) :: from, now, rate
    call system_clock(from, rate)
    do
      call system_clock(now)
      if (now - from > rate / 100) exit
    end do
  end subroutine
end program
