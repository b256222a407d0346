package pack

import (
	"fmt"
	"strings"
	"time"
)

// What generated members are made of. The order is part of what a seed means:
// add nothing, or every generated member changes.

var (
	grades       = []string{"PROFESSIONAL", "STUDENT", "ASSOCIATE", "SELF_EMPLOYED", "OVERSEAS", "CAREER_BREAK", "RETIRED"}
	gradeWeights = []int{62, 14, 6, 7, 3, 3, 5}

	audiences      = []string{"PUBLIC", "MEMBERS", "SECTION", "COMMITTEE", "STAFF", "NOBODY"}
	listingWeights = []int{60, 20, 4, 2, 4, 10}
	fieldWeights   = []int{50, 22, 8, 4, 6, 10}

	pronouns       = []string{"she/her", "he/him", "they/them", "she/they"}
	pronounWeights = []int{70, 22, 5, 3}
)

// settings are fields of practice, as they stand behind "in".
var settings = []string{
	"adult social care", "children's services", "community rehabilitation", "acute hospital care", "stroke rehabilitation",
	"mental health", "forensic mental health", "learning disability services", "housing and adaptations", "primary care",
	"palliative care", "hand therapy", "neurological rehabilitation", "older people's services", "schools",
	"vocational rehabilitation", "wheelchair services", "intermediate care", "hospital discharge", "care homes",
	"burns and plastic surgery", "cardiac rehabilitation", "eating disorder services", "substance use services",
	"homelessness services", "veterans' services", "assistive technology", "research", "higher education", "public health",
}

func headlineOf(grade, setting string) string {
	switch grade {
	case "STUDENT":
		return "Occupational therapy learner with an interest in " + setting
	case "ASSOCIATE":
		return "Works beside occupational therapists in " + setting
	case "SELF_EMPLOYED":
		return "Independent occupational therapist in " + setting
	case "CAREER_BREAK":
		return "Occupational therapist on a career break, before that in " + setting
	case "RETIRED":
		return "Retired occupational therapist, formerly in " + setting
	default:
		return "Occupational therapist in " + setting
	}
}

var bioOpenings = []string{
	"%s came to occupational therapy by way of %s.",
	"%s has a long interest in %s.",
	"For %s, the best days at work are those in %s.",
	"%s works with colleagues of many professions in %s.",
	"%s writes and speaks about %s.",
}

var bioMiddles = []string{
	"Member since %d.", "With the body since %d.", "Joined in %d and stayed.", "In the profession's company since %d.",
}

var bioEndings = []string{
	"Happy to hear from learners who look for a placement.",
	"Glad to share what went well, and what did not.",
	"Looks for partners for small studies.",
	"Grows vegetables, and brings them to meetings.",
	"Supervises, and is supervised.",
	"Always open to a visit from another team.",
	"Swims in cold water, to the surprise of everyone.",
	"Interested in measures that people understand.",
}

func bioOf(d *dice, first, setting string, joined time.Time) string {
	return fmt.Sprintf(bioOpenings[d.below(len(bioOpenings))], first, setting) + " " +
		fmt.Sprintf(bioMiddles[d.below(len(bioMiddles))], joined.Year()) + " " +
		bioEndings[d.below(len(bioEndings))]
}

var firstNames = strings.Fields(`
	Aaliyah Aaron Abdul Abena Abigail Adaeze Adam Adeola Aditi Agnieszka Aidan Ailsa Aisha Akua Alan Alasdair Alex Alice Alisha Alison
	Alun Amara Amelia Amina Amir Amy Ananya Andrea Andrew Aneurin Angharad Angus Anil Anita Anjali Anthony Anwen Aoife Arjun Arthur
	Arwen Asha Ashley Ayesha Ayo Barbara Beatrix Ben Bethan Beverley Bilal Blessing Brenda Brian Bridget Bronwen Callum Carly Carol
	Carys Catherine Catrin Ceri Charlotte Chen Chiara Chidi Chioma Chloe Christine Ciara Claire Cleo Colin Conor Craig Daisy Damilola
	Daniel Daphne Dara David Dawn Deborah Declan Deepa Delroy Denise Derek Devon Diane Dilys Dominic Donna Dorota Dylan Ebony Edith
	Edward Efua Eilidh Eira Eleri Elaine Eleanor Elif Elin Elizabeth Ellie Emeka Emily Emma Erin Esther Ethan Eve Ewa Ewan Faith Farah
	Fatima Felix Femi Fergus Ffion Fiona Florence Folake Frances Frank Freya Gareth Gary Gemma George Geraint Gillian Giulia Glenda
	Grace Graham Grainne Gurpreet Guto Gwen Haiwei Hamza Hannah Hari Harriet Harry Hassan Hazel Heather Heledd Helen Henry Hilary Hina
	Holly Hope Hugh Huw Ian Ibrahim Ife Imani Imogen Imran Ines Ingrid Iona Irene Isaac Isla Ismail Ivy Iwan Jack Jacqueline Jade James
	Jamila Jan Jane Janet Jasmine Jaswinder Jaya Jean Jemima Jennifer Jessica Jing Joan Joanna Joel John Joseph Joyce Judith Julia
	Julian Juliet Kamal Karen Karina Kate Kavita Keir Keith Kelly Kemi Kenneth Kerry Khadija Kiran Kirsty Krzysztof Kwame Laila Lara
	Latoya Lauren Leah Leanne Lee Leila Lena Leo Lesley Lewis Li Liam Lily Linda Lindsay Lisa Llinos Lois Lorna Louise Lowri Lucia Lucy
	Luke Lydia Lynn Mabel Madeleine Magda Mahmoud Mairead Malcolm Malika Mandeep Manon Marcus Margaret Mari Maria Mariam Marie Mark
	Marlon Martha Martin Mary Matilda Maureen Max May Megan Mehmet Mei Melanie Meera Mercy Michael Michelle Millie Min Miriam Mohammed
	Moira Molly Monica Morag Morwenna Myfanwy Nadia Nan Naomi Natalie Nathan Neha Neil Ngozi Nia Niamh Nicola Nigel Nikhil Nina Nisha
	Noah Noor Nora Obi Olga Oliver Olivia Olu Omar Orla Osian Owen Padraig Pamela Parveen Patience Patrick Paul Peggy Penelope Peter
	Philip Phoebe Pooja Precious Priya Rachel Radha Rafiq Rajesh Ravi Rebecca Reema Rhian Rhiannon Rhodri Rhona Rhys Richard Rita
	Robert Robin Roisin Ronan Rory Rosa Rose Ross Rowan Roya Ruby Rukhsana Ruth Ryan Saffron Sahra Saima Sally Salma Sam Samantha
	Samira Sana Sandra Sanjay Sara Sarah Saoirse Sean Selina Serena Shabana Shanice Shannon Sharon Shauna Sheila Shirin Shona Sian
	Simon Sinead Siobhan Sioned Skye Sofia Sonia Sophie Stacey Stella Stephen Steven Stuart Subhash Sunita Susan Suzanne Sylvia Tamara
	Tamsin Tanya Tariq Tegan Temi Teresa Terri Thea Thomas Tia Tim Tina Tobias Tolu Tomasz Tracey Tudor Uchenna Una Usha Valerie
	Vanessa Vera Victoria Vijay Violet Vivian Wanjiru Wendy William Winston Wren Xin Yasmin Yemi Yetunde Ying Yolanda Yusuf Yvonne
	Zahra Zainab Zara Zoe Zofia
`)

var familyNames = strings.Fields(`
	Abara Abbott Abdi Abebe Adams Addo Adebayo Adeyemi Afolabi Agarwal Ahmed Ainsworth Akhtar Akintola Albright Alder Ali Allen
	Allsop Amankwah Amin Anand Anderson Andrews Ansah Appiah Archer Armstrong Arnold Arora Asante Ashby Ashworth Aslam Atkins Awan
	Ayodele Aziz Bailey Baker Balogun Banerjee Bangura Baptiste Barker Barlow Barnes Barrett Barton Bashir Bassett Bates Begum Bell
	Bennett Bentley Berry Bevan Bhatt Birch Bird Blackburn Blackwood Blake Boateng Bond Booth Bowen Boyle Bradley Brady Brennan
	Briggs Brook Brown Bryant Buchanan Burgess Burke Burns Butler Byrne Cairns Cameron Campbell Carr Carter Cartwright Casey Chadwick
	Chakrabarti Chambers Chan Chandler Chaudhry Chen Cheung Chiu Chowdhury Christie Chukwu Clark Clayton Cohen Cole Coleman Collins
	Connolly Cook Cooper Costa Cowan Cox Craig Crawford Crosby Cross Cullen Cunningham Curtis Dale Daly Danso Das Davies Dawson Deacon
	Desai Dhillon Diallo Dickson Dixon Dodd Doherty Donnelly Douglas Doyle Drake Driscoll Dube Duffy Duncan Dunn Eastwood Edwards
	Egan Ekwueme Ellis Emmanuel Evans Fagan Fairley Farooq Farrell Faulkner Fenton Ferguson Fernandes Field Finch Findlay Fisher
	Fitzgerald Fletcher Flynn Forbes Ford Foster Fowler Fox Francis Fraser Freeman French Frost Fuller Gallagher Galloway Garcia
	Gardner Garg Garner George Ghosh Gibbs Gibson Gilbert Gill Glover Goddard Gomez Goodwin Gordon Gould Grant Gray Green Gregory
	Grewal Griffiths Guest Gunn Gupta Hadley Haines Hall Hamilton Hammond Hanley Haque Harding Hardy Harper Harris Hart Hartley Hassan
	Hawkins Hayes Heath Henry Herbert Hewitt Hicks Higgins Hill Hobbs Hodge Holland Holmes Hopkins Horton Howard Howells Hudson Hughes
	Humphreys Hunt Hussain Hutton Hyde Ibrahim Idowu Iqbal Irving Islam Iyer Jackson Jacobs Jain James Jamieson Jarvis Jenkins
	Jennings John Johnston Jones Joseph Joshi Kamara Kapoor Kariuki Kaur Kay Keane Kelly Kemp Kennedy Kerr Khalid Khan Khanna King
	Kirby Knight Knowles Kowalski Kumar Kwan Kwarteng Lacey Lamb Lambert Lane Lau Lawal Lawson Leach Lee Leigh Lennox Leung Lewis Li
	Lim Lin Lindsay Lister Little Liu Lloyd Logan Lowe Lucas Lyons Macdonald Mackay Mackenzie Maclean Mahmood Malik Mann Marsh
	Marshall Martin Mason Massey Mathews Matthews Mbeki McCann McDonald McGrath McIntyre McKenna Mehta Mendes Mensah Menon Mills Miah
	Milne Mir Mistry Mitchell Mohamed Mohan Moore Moran Morgan Morris Morrison Moss Moyo Mukherjee Munro Murphy Murray Musa Mwangi
	Myers Nair Naidoo Nash Naylor Ncube Ndlovu Nelson Newman Newton Ng Nguyen Nicholls Nkosi Noble Nolan Norris North Nowak Nwosu
	Obi Odell Odhiambo Ofori Ogden Okafor Okeke Okoro Oladipo Oliver Onyango Osborne Osei Owen Owusu Page Palmer Parker Parmar
	Parsons Patel Paterson Pathak Payne Peacock Pearce Pennington Pereira Perkins Perry Peters Phillips Pillai Pinnock Pollard Poole
	Powell Pratt Prescott Price Pritchard Probert Pugh Quinn Qureshi Rafferty Rahman Ramsay Rana Randall Rao Rashid Rees Reddy Reid
	Reilly Reynolds Rhodes Rice Richards Riley Roberts Robertson Robson Rogers Rose Ross Rowe Rowlands Roy Russell Ryan Sadiq Saeed
	Salako Salisbury Sampson Sandhu Sanderson Santos Saunders Savage Saxena Schofield Scott Sesay Shah Shaikh Sharma Sharp Shaw
	Sheikh Shepherd Sheridan Short Siddiqui Silva Simmonds Simpson Sinclair Singh Slater Smart Smith Snow Sohal Somerville Spencer
	Stanley Steele Stephens Stewart Stone Sullivan Sutton Swain Sweeney Tan Tang Tate Taylor Teo Thapa Thomas Thompson Thornton Todd
	Tomlinson Townsend Tran Tucker Turnbull Turner Tyler Uddin Underwood Varma Vaughan Verma Vincent Wade Walker Wallace Walsh Walters
	Wang Ward Warner Waters Watkins Watson Watts Webb Webster Wells West Weston Wheeler White Whitehead Wilkinson Williams Willis
	Wilson Winter Wong Wood Woods Wright Wu Wyatt Wynne Xu Yadav Yang Yates Yeung Young Yusuf Zaman Zhang Zhao Zielinska
`)
